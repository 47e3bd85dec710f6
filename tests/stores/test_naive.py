"""The contract finds a store without a lock: it fails in each race and passes the other tests."""

from __future__ import annotations

import pytest

from tests.stores import suites

pytestmark = pytest.mark.slow

SUITE = """
from functools import partial

from hypothesis import settings

from flask_otp_mpp.testing import SharedStoreContract, StoreContract
from tests.stores.naive import NaiveStore, OneProcessStore


class TestNaive(StoreContract):
    agreement = settings(StoreContract.agreement, max_examples=5)

    def make(self, folder, clock):
        return NaiveStore(clock)


class TestOneProcess(SharedStoreContract):
    agreement = settings(SharedStoreContract.agreement, max_examples=5)

    def make(self, folder, clock):
        return OneProcessStore(folder / "store", clock)

    def restart(self, store):
        return OneProcessStore(store.file, store.clock)

    def opener(self, store):
        return partial(OneProcessStore, store.file, store.clock, pause=0.3)
"""

FAILED_BY_THREADS = {
    "test_of_many_right_answers_one_succeeds",
    "test_of_many_wrong_answers_five_are_compared",
    "test_of_many_wrong_answers_to_many_challenges_a_budget_is_compared",
    "test_of_many_sends_none_exceeds_the_cap",
    "test_of_many_sends_the_cool_down_lets_one_through",
    "test_of_many_repeats_of_one_request_one_is_sent",
    "test_of_many_repeats_under_one_idempotency_key_one_is_reserved",
    "test_of_many_users_under_one_idempotency_key_one_is_reserved",
}
FAILED_BY_PROCESSES = {
    "test_of_right_answers_in_four_processes_one_succeeds",
    "test_of_wrong_answers_in_four_processes_five_are_compared",
    "test_of_sends_in_four_processes_none_exceeds_the_cap",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> suites.Report:
    return suites.run(tmp_path_factory.mktemp("naive"), SUITE)


def failed(report: suites.Report, suite: str) -> set[str]:
    return {name.partition(".")[2] for name in report.failed if name.startswith(suite + ".")}


def passed(report: suites.Report, suite: str) -> set[str]:
    return {name.partition(".")[2] for name in report.passed if name.startswith(suite + ".")}


def test_a_store_without_a_lock_fails_each_race_and_passes_every_other_test(
    report: suites.Report,
) -> None:
    """T2, A1, A2, L6, S1, S10: nothing but a race finds its fault."""
    assert failed(report, "TestNaive") == FAILED_BY_THREADS
    assert len(passed(report, "TestNaive")) > 30
    assert "test_a_store_agrees_with_the_rules_whatever_is_asked" in passed(report, "TestNaive")


def test_a_lock_of_one_process_wins_no_race_between_processes(report: suites.Report) -> None:
    """T2, A1, L6, S1: and every race between threads."""
    assert failed(report, "TestOneProcess") == FAILED_BY_PROCESSES
    assert passed(report, "TestOneProcess") > FAILED_BY_THREADS


def test_a_failed_claim_shows_what_was_counted(report: suites.Report) -> None:
    """T2: assertions are rewritten, though the suite lies in a package that is installed."""
    assert "E       AssertionError: assert Counter({" in report.output
