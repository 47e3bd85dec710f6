"""A wallet's Flask app, before and after: everything with ``otp`` in it is new."""

from dataclasses import dataclass

from flask import Flask

from flask_otp_mpp import AlipayPlus, Caller, Channel, Message, OtpMpp, Reason, refuse


@dataclass
class User:
    id: int
    phone: str
    frozen: bool = False


USERS = {"token-of-ada": User(1, "+8613000000001")}  # stands for your database


def send_sms(phone: str, text: str) -> None:  # stands for your provider
    print(f"to {phone}: {text}")


otp = OtpMpp(AlipayPlus)


@otp.user_loader
def user_of(access_token: str, caller: Caller) -> User | None:
    user = USERS.get(access_token)
    if user is not None and user.frozen:
        refuse(Reason.USER_ABNORMAL)
    return user  # None is answered with INVALID_TOKEN


@otp.sender(Channel.MOBILE)
def text(user: User, message: Message) -> None:
    send_sms(user.phone, message.body)


def create_app(config: dict[str, object] | None = None) -> Flask:
    app = Flask(__name__)
    app.config.from_prefixed_env()  # FLASK_OTP_MPP_PEPPER and so on
    app.config.from_mapping(config)
    otp.init_app(app)
    return app
