"""Codes are fair, belong to one challenge, and what is kept of them tells nothing."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_otp_mpp.core.challenge import Challenge, Channel
from flask_otp_mpp.core.codes import MIN_PEPPER_BYTES, Codes, new_challenge_id
from flask_otp_mpp.core.policy import Resend
from flask_otp_mpp.core.secret import Secret
from tests.codes import wrong_code

OLD, NEW, LATER = (name * MIN_PEPPER_BYTES for name in (b"o", b"n", b"l"))
DRAWS = 20_000
CHALLENGE, SUBJECT, CALLER = b"0123abcd", b"user", b"caller"


def codes(*peppers: bytes, digits: int = 6, resend: Resend = Resend.ROTATE) -> Codes:
    return Codes([Secret(pepper) for pepper in peppers or (OLD,)], digits, resend)


def challenge(digest: bytes, challenge_id: str = "id") -> Challenge:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Challenge(
        challenge_id, "user", "caller", Channel.MOBILE, digest, now, now + timedelta(minutes=5), 5
    )


@pytest.mark.parametrize("resend", list(Resend))
@pytest.mark.parametrize("digits", [6, 8, 10])
@pytest.mark.alike(3)
def test_every_digit_stands_everywhere_equally_often(resend: Resend, digits: int) -> None:
    """L1: chi-square at each place, 9 degrees of freedom; leading zeros are among them."""
    generator = codes(digits=digits, resend=resend)
    drawn = [generator.generate(f"challenge-{number}").reveal() for number in range(DRAWS // 2)]
    assert {len(code) for code in drawn} == {digits}
    for place in range(digits):
        counts = [0] * 10
        for code in drawn:
            counts[int(code[place])] += 1
        expected = len(drawn) / 10
        chi_square = sum((found - expected) ** 2 / expected for found in counts)
        # Fair codes exceed 45 once in a million places; codes without leading zeros reach 1000.
        assert chi_square < 45, (place, counts)


@pytest.mark.parametrize("resend", list(Resend))
def test_codes_fill_their_whole_space_without_favourites(resend: Resend) -> None:
    """L1: chi-square over 1,000 equal parts of the space, 999 degrees of freedom."""
    generator = codes(resend=resend)
    counts = [0] * 1000
    for number in range(DRAWS):
        counts[int(generator.generate(f"challenge-{number}").reveal()) // 1000] += 1
    expected = DRAWS / 1000
    chi_square = sum((found - expected) ** 2 / expected for found in counts)
    assert 700 < chi_square < 1300  # mean 999, standard deviation 45


def test_drawn_codes_come_from_the_secrets_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """L1: not from a generator that could be predicted, and zeros in front are kept."""
    bounds: list[int] = []

    def seven(bound: int) -> int:
        bounds.append(bound)
        return 7

    monkeypatch.setattr("secrets.randbelow", seven)
    assert codes().generate("id").reveal() == "000007"
    assert bounds == [10**6]


def test_an_id_can_be_neither_guessed_nor_met_twice() -> None:
    """L10: 44 hexadecimal digits, of which 128 bits are random; they sort by their time."""
    ids = [new_challenge_id() for _ in range(2000)]
    assert {len(found) for found in ids} == {44}
    assert set("".join(ids)) <= set("0123456789abcdef")
    random = [found[12:] for found in ids]
    assert len(set(random)) == len(ids)
    for place in range(32):
        assert len({text[place] for text in random}) == 16
    assert [found[:12] for found in ids] == sorted(found[:12] for found in ids)


def test_the_random_part_of_an_id_comes_from_the_secrets_module(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """L10: sixteen bytes of a cryptographic generator."""
    monkeypatch.setattr("secrets.token_hex", lambda size: "ab" * size)
    assert new_challenge_id().endswith("ab" * 16)


def test_a_code_belongs_to_one_challenge_one_user_and_one_caller() -> None:
    """L7, X8: the same digits have another digest for another challenge, user or caller."""
    generator = codes()
    places = itertools.product(
        ("A", "B"), ("user", "us\ud800r"), ("caller", "other"), map(Secret, ("123456", "123457"))
    )
    digests = [generator.digest(*place) for place in places]
    assert len(set(digests)) == len(digests) == 16
    assert {len(digest) for digest in digests} == {32}


def test_parts_of_a_digest_lend_no_character_to_each_other() -> None:
    """L7, X8: ids, users and callers that run together alike are still told apart."""
    generator = codes()
    alike = [("ab", "c", ""), ("a", "bc", ""), ("", "abc", ""), ("a", "b", "c"), ("", "", "abc")]
    assert len({generator.digest(*place, Secret("123456")) for place in alike}) == len(alike)


def test_the_right_code_is_found_under_each_pepper_that_is_listed() -> None:
    """K1: a pepper is rotated while codes are out, and none of them is lost."""
    made_before = codes(OLD).digest("id", "user", "caller", Secret("123456"))
    both = codes(NEW, OLD)
    assert made_before in both.candidates("id", "user", "caller", Secret("123456"))
    assert both.digest("id", "user", "caller", Secret("123456")) in codes(NEW).candidates(
        "id", "user", "caller", Secret("123456")
    )
    assert made_before not in codes(NEW).candidates("id", "user", "caller", Secret("123456"))
    assert made_before not in both.candidates("id", "user", "caller", Secret("654321"))


@pytest.mark.parametrize(
    "code",
    [
        "",
        " 123456",
        "123456 ",
        "123456\n",
        "123456\0",
        "12345",
        "1234567",
        "12 456",
        "12345a",
        "+12345",
        "1234.5",
        "\uff11\uff12\uff13\uff14\uff15\uff16",  # full-width
        "\u0661\u0662\u0663\u0664\u0665\u0666",  # Arabic-Indic
        "12345\u00b2",
        "\ud800",
    ],
)
def test_a_code_out_of_its_normal_form_can_match_nothing(code: str) -> None:
    """L11: one form only, in ASCII, of exactly the length that a code has."""
    assert codes().candidates("id", "user", "caller", Secret(code)) == ()


@given(st.text(max_size=12) | st.text("0123456789 \n\u0661\uff11", max_size=8))
@example("123456")
def test_only_as_many_ascii_digits_as_a_code_has_are_a_code(text: str) -> None:
    """L11: whatever else is typed has no digest."""
    normal = len(text) == 6 and all("0" <= character <= "9" for character in text)
    assert bool(codes().candidates("id", "user", "caller", Secret(text))) is normal


def published(pepper: bytes) -> Callable[[bytes], bytes]:
    """Digest as the source says, which a thief can read; only the pepper is not in it."""
    parts = (b"digest", CHALLENGE, SUBJECT, CALLER)
    head = b"".join(len(part).to_bytes(4) + part for part in parts) + (6).to_bytes(4)
    return lambda code: hmac.digest(pepper, head + code, "sha256")


def brute_force(stored: bytes, construction: Callable[[bytes], bytes]) -> str | None:
    """Try the 10^4 codes that begin with 00; the code that is looked for is one of them."""
    for number in range(10**4):
        code = b"%06d" % number
        if construction(code) == stored:
            return code.decode()
    return None


def test_a_thief_of_dump_and_pepper_finds_the_code() -> None:
    """P2: this is the search that the next test shows to fail."""
    stored = codes(OLD).digest("0123abcd", "user", "caller", Secret("004217"))
    assert brute_force(stored, published(OLD)) == "004217"


@pytest.mark.parametrize(
    "construction",
    [
        lambda code: hashlib.sha256(code).digest(),
        lambda code: hashlib.sha256(CHALLENGE + code).digest(),
        lambda code: hmac.digest(CHALLENGE, code, "sha256"),
        published(b""),
    ],
    ids=["plain", "salted", "keyed by id", "published without pepper"],
)
def test_a_dump_without_the_pepper_does_not_give_the_code(
    construction: Callable[[bytes], bytes],
) -> None:
    """P2: the right code and 9,999 others are tried against a stored digest, and none fits."""
    stored = codes(OLD).digest("0123abcd", "user", "caller", Secret("004217"))
    assert brute_force(stored, construction) is None


def test_a_derived_code_can_be_recovered_from_its_challenge() -> None:
    """L12: under `reuse` the same code goes out again, though it was never stored."""
    generator = codes(resend=Resend.REUSE)
    code = generator.generate("id")
    assert generator.generate("id") == code
    assert generator.recover(challenge(generator.digest("id", "user", "caller", code))) == code
    assert code != codes(NEW, resend=Resend.REUSE).generate("id")
    assert len({generator.generate(f"id-{number}").reveal() for number in range(100)}) > 90


def test_a_derived_code_is_recovered_while_its_pepper_is_listed() -> None:
    """K1: afterwards it is not known any more, rather than sent wrong."""
    old = codes(OLD, resend=Resend.REUSE)
    code = old.generate("id")
    stored = challenge(old.digest("id", "user", "caller", code))
    assert codes(NEW, OLD, resend=Resend.REUSE).recover(stored) == code
    with pytest.raises(LookupError, match="pepper"):
        codes(NEW, LATER, resend=Resend.REUSE).recover(stored)


def test_a_drawn_code_can_not_be_recovered() -> None:
    """L1: the store and the pepper together do not give a code that was drawn."""
    generator = codes()
    derived = codes(resend=Resend.REUSE).generate("id")
    drawn = Secret(wrong_code(derived.reveal()))
    with pytest.raises(LookupError):
        generator.recover(challenge(generator.digest("id", "user", "caller", drawn)))


@pytest.mark.parametrize("peppers", [(), (b"",), (b"x" * 31,), (OLD, b"x" * 31)])
def test_a_pepper_that_could_be_guessed_is_refused(peppers: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Codes([Secret(pepper) for pepper in peppers], 6, Resend.ROTATE)
