"""The House's files land whole, or not at all; what did not change does not come again, what broke goes on."""

import errno
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from deputies_lake.raw import download, fetching, zipped
from deputies_lake.raw.archive import LandingZone
from deputies_lake.raw.download import Limits
from deputies_lake.raw.fetching import AT_ONCE, Fetched, FetchError, Outcome, fetch_years
from deputies_lake_tests.raw.house import Fault, House, Published, zip_of, zip_with

YEAR = 2024
NAME = f"Ano-{YEAR}.csv.zip"
LIMITS = Limits(connect=1, stall=0.3, total=20, attempts=3, pause=0.01, longest_pause=0.02)

ONE_YEAR = """
import sys
from deputies_lake.raw.archive import LandingZone
from deputies_lake.raw.fetching import fetch_years
landing, url = sys.argv[1:]
fetched = fetch_years(LandingZone(landing), url, [2024], report=lambda line: print(line, flush=True))
sys.exit(fetched[2024].error)
"""

REMEDY = (
    f"Try again later: `deputies-lake fetch --years {YEAR}`. "
    f"Or put {NAME} by hand into {{}} and set DEPUTIES_LAKE_CHAMBER_URL=none, so that it stays."
)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def house() -> Iterator[House]:
    with House() as house:
        house.publish(YEAR, zip_of(YEAR))
        yield house


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """Where files land; nobody made the directory. Its name has what URIs would have to encode."""
    return tmp_path / "lago são joão" / "landing 100%"


class Fetcher:
    """Fetches 2024 into a landing zone as often as one likes, and keeps what was reported."""

    def __init__(self, house: House, location: str) -> None:
        self.house, self.zone = house, LandingZone(location)
        self.url, self.limits = house.url, LIMITS
        self.lines: list[str] = []

    def __call__(self, **arguments: Any) -> Fetched:
        given = {"report": self.lines.append, "limits": self.limits, **arguments}
        return fetch_years(self.zone, self.url, [YEAR], **given)[YEAR]

    def outcome(self) -> Outcome:
        fetched = self()
        assert fetched.error is None
        return fetched.outcome

    def error(self) -> FetchError:
        fetched = self()
        assert fetched.outcome is Outcome.FAILED
        assert fetched.error
        return fetched.error

    def asked(self) -> Mapping[str, str]:
        """The last request's headers."""
        return self.house.seen[-1].headers


@pytest.fixture
def fetch(house: House, landing: Path) -> Fetcher:
    return Fetcher(house, str(landing))


def landed(landing: Path) -> Mapping[str, bytes]:
    """What readers of the landing zone see."""
    return {path.name: path.read_bytes() for path in landing.iterdir() if path.is_file()} if landing.exists() else {}


def leftovers(landing: Path) -> set[str]:
    return {path.name for path in (landing / ".fetching").iterdir()} - {f"{NAME}.lock"}


# what changed, and what did not


def test_a_file_lands_as_it_was_published(fetch: Fetcher, house: House, landing: Path) -> None:
    assert fetch.outcome() is Outcome.NEW
    assert landed(landing) == {NAME: house.files[YEAR].content}


def test_nothing_but_its_label_is_left_of_a_download(fetch: Fetcher, landing: Path) -> None:
    fetch()
    assert leftovers(landing) == {f"{NAME}.json"}


def test_the_server_is_told_who_asks(fetch: Fetcher) -> None:
    fetch()
    assert fetch.asked()["User-Agent"].startswith("deputies-lake ")


def test_the_server_is_asked_for_the_bytes_as_they_are(fetch: Fetcher) -> None:
    fetch()
    assert fetch.asked()["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("told", [{}, {"etag": None}, {"last_modified": None}])
def test_a_file_that_did_not_change_does_not_come_again(fetch: Fetcher, house: House, told: dict[str, Any]) -> None:
    house.files[YEAR] = replace(house.files[YEAR], **told)
    assert [fetch.outcome(), fetch.outcome()] == [Outcome.NEW, Outcome.UNCHANGED]
    assert house.statuses == [200, 304]


@pytest.mark.parametrize("told", [{}, {"etag": None}, {"last_modified": None}])
def test_a_file_that_changed_replaces_the_one_before(
    fetch: Fetcher, house: House, landing: Path, told: dict[str, Any]
) -> None:
    for edition in (1, 2):
        house.publish(YEAR, zip_of(YEAR, edition=edition), edition=edition)
        house.files[YEAR] = replace(house.files[YEAR], **told)
        assert fetch.outcome() is Outcome.NEW
    assert landed(landing) == {NAME: zip_of(YEAR, edition=2)}


def test_the_same_bytes_under_another_date_do_not_land_again(fetch: Fetcher, house: House, landing: Path) -> None:
    fetch()
    before = (landing / NAME).stat()
    house.publish(YEAR, house.files[YEAR].content, edition=2)
    assert (fetch.outcome(), house.statuses) == (Outcome.UNCHANGED, [200, 200])
    assert (landing / NAME).stat() == before


def test_the_same_bytes_under_another_date_come_no_third_time(fetch: Fetcher, house: House) -> None:
    fetch()
    house.publish(YEAR, house.files[YEAR].content, edition=2)
    fetch()
    fetch()
    assert house.statuses == [200, 200, 304]


def test_a_server_that_tells_neither_etag_nor_date_is_asked_each_time(fetch: Fetcher, house: House) -> None:
    house.files[YEAR] = Published(content=zip_of(YEAR))
    assert [fetch.outcome(), fetch.outcome()] == [Outcome.NEW, Outcome.UNCHANGED]
    assert house.statuses == [200, 200]


def test_a_file_put_there_by_hand_is_not_taken_for_the_one_that_landed(
    fetch: Fetcher, house: House, landing: Path
) -> None:
    fetch()
    (landing / NAME).write_bytes(zip_of(YEAR, edition=2))
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [200, 200])
    assert landed(landing) == {NAME: house.files[YEAR].content}


def test_a_file_that_was_removed_comes_again(fetch: Fetcher, house: House, landing: Path) -> None:
    fetch()
    (landing / NAME).unlink()
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [200, 200])


def test_a_label_of_another_address_does_not_count(fetch: Fetcher, house: House, landing: Path) -> None:
    fetch()
    label = landing / ".fetching" / f"{NAME}.json"
    label.write_text(label.read_text("utf-8").replace(house.url, "https://elsewhere"), "utf-8")
    assert (fetch.outcome(), house.statuses) == (Outcome.UNCHANGED, [200, 200])


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"version": {"unknown": 1}}', '{"version": {"url": "", "etag": "", "last_modified": ""}}'],
)
def test_a_damaged_label_does_not_count(fetch: Fetcher, house: House, landing: Path, content: str) -> None:
    fetch()
    (landing / ".fetching" / f"{NAME}.json").write_text(content, "utf-8")
    assert (fetch.outcome(), house.statuses) == (Outcome.UNCHANGED, [200, 200])


def test_the_csv_file_beside_it_is_another_file(fetch: Fetcher, landing: Path) -> None:
    landing.mkdir(parents=True)
    (landing / f"Ano-{YEAR}.csv").write_bytes(b"by hand")
    assert fetch.outcome() is Outcome.NEW
    assert landed(landing).keys() == {NAME, f"Ano-{YEAR}.csv"}


# what the server refuses


def test_a_year_that_has_just_begun_need_not_be_published(fetch: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_today", lambda: date(YEAR, 1, 31))
    fetch.house.files.clear()
    assert (fetch.outcome(), fetch.lines) == (Outcome.NOT_PUBLISHED, [f"{NAME}: not published yet"])


@pytest.mark.parametrize("today", [date(YEAR, 2, 1), date(YEAR + 1, 1, 1)])
def test_any_other_year_must_be_published(fetch: Fetcher, monkeypatch: pytest.MonkeyPatch, today: date) -> None:
    monkeypatch.setattr(fetching, "_today", lambda: today)
    fetch.house.files.clear()
    assert fetch.error().problem == "the server answered 404 Not Found"


def test_an_error_names_the_address_what_happened_and_the_remedy(fetch: Fetcher, house: House, landing: Path) -> None:
    house.faults = [Fault(status=403)]
    assert str(fetch.error()) == (f"{house.url}/{NAME}: the server answered 403 Forbidden. {REMEDY.format(landing)}")


def test_a_redirect_within_the_publishers_hosts_is_followed(fetch: Fetcher, house: House) -> None:
    house.faults = [Fault(status=302, headers={"Location": f"{house.url}/{NAME}"})]
    assert fetch.outcome() is Outcome.NEW


@pytest.mark.parametrize("elsewhere", ["http://localhost:{port}/x", "//localhost/x", "https://127.0.0.1.example.org/x"])
def test_a_redirect_to_other_hosts_is_not_followed(fetch: Fetcher, house: House, landing: Path, elsewhere: str) -> None:
    port = house.url.split(":")[2].split("/")[0]
    house.faults = [Fault(status=302, headers={"Location": elsewhere.format(port=port)})]
    assert re.search(r"it is redirected to https?://\S+, which is not 127\.0\.0\.1's own", str(fetch.error()))
    assert (len(house.seen), landed(landing)) == (1, {})


def test_of_the_houses_redirects_those_are_followed_that_stay_its_own_and_encrypted() -> None:
    answer = requests.Response()
    answer.url, answer.status_code = "https://www.camara.leg.br/cotas/x", 301
    session = download._PublishersSession(answer.url)
    for location, followed in {
        "/cotas/y": True,
        "https://dadosabertos.camara.leg.br/y": True,
        "http://www.camara.leg.br/cotas/x": False,
        "https://camara.leg.br.example.org/x": False,
    }.items():
        answer.headers["Location"] = location
        if followed:
            assert session.get_redirect_target(answer) == location
        else:
            with pytest.raises(requests.RequestException, match="it is redirected to"):
                session.get_redirect_target(answer)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_will_not_pass_is_not_tried_again(fetch: Fetcher, house: House, landing: Path, status: int) -> None:
    house.faults = [Fault(status=status)]
    assert fetch.error()
    assert (house.statuses, landed(landing)) == ([status], {})


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(fetch: Fetcher, house: House, status: int) -> None:
    house.faults = [Fault(status=status)]
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [status, 200])


def test_trouble_is_told_while_it_lasts(fetch: Fetcher, house: House) -> None:
    house.faults = [Fault(status=500)]
    fetch()
    assert fetch.lines[0] == f"{NAME}: the server answered 500 Internal Server Error; next try in 0.0 s"


def test_it_is_not_tried_for_ever(fetch: Fetcher, house: House) -> None:
    house.faults = [Fault(status=502)] * 9
    assert fetch.error().problem == "the server answered 502 Bad Gateway, 3 times in a row"
    assert house.statuses == [502] * 3


def test_pauses_grow(fetch: Fetcher, house: House) -> None:
    fetch.limits = replace(LIMITS, attempts=4, pause=0.1, longest_pause=1)
    house.faults = [Fault(status=500)] * 3
    started = time.monotonic()
    fetch()
    assert 0.35 <= time.monotonic() - started < 1.5


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_patience_gets_it(fetch: Fetcher, house: House, status: int) -> None:
    house.faults = [Fault(status=status, headers={"Retry-After": "1"})]
    started = time.monotonic()
    assert fetch.outcome() is Outcome.NEW
    assert time.monotonic() - started >= 1


def test_a_server_may_ask_for_patience_until_a_date(fetch: Fetcher, house: House) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    house.faults = [Fault(status=503, headers={"Retry-After": until})]
    assert fetch.error().problem == (
        "the server answered 503 Service Unavailable; the next try would be after the 20 s that a file may take"
    )


def test_patience_that_can_not_be_read_is_not_asked_for(fetch: Fetcher, house: House) -> None:
    house.faults = [Fault(status=503, headers={"Retry-After": "soon"})]
    assert fetch.outcome() is Outcome.NEW


# where there is no server


def test_a_closed_port_is_told(fetch: Fetcher, landing: Path) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        fetch.url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        problem = fetch.error().problem
    assert problem == f"no connection ([Errno {errno.ECONNREFUSED}] Connection refused), 3 times in a row"


def test_a_name_that_nobody_knows_is_told(fetch: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    fetch.url = "http://the.house.invalid"
    assert fetch.error().problem == "no connection ([Errno -2] Name or service not known), 3 times in a row"


def test_an_address_that_is_none_is_told(fetch: Fetcher) -> None:
    fetch.url = "http://"
    assert fetch.error().problem.startswith("it can't be asked for (Invalid URL")


def test_a_server_that_takes_no_connection_is_not_waited_for(fetch: Fetcher) -> None:
    fetch.limits = replace(LIMITS, connect=0.1, attempts=2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # The queue of those who wait to be accepted is full from here on.
        with socket.create_connection(full.getsockname()):
            fetch.url = "http://{}:{}".format(*full.getsockname())
            assert fetch.error().problem == "no connection within 0.1 s, 2 times in a row"


# what breaks on the way


def test_a_server_that_does_not_answer_is_not_waited_for(fetch: Fetcher, house: House) -> None:
    house.faults = [Fault(mute=True)]
    assert fetch.outcome() is Outcome.NEW
    assert fetch.lines[0].startswith(f"{NAME}: nothing came for 0.3 s; next try in")


def test_a_flow_that_stalls_is_not_waited_for_and_goes_on_where_it_stalled(
    fetch: Fetcher, house: House, landing: Path
) -> None:
    house.faults = [Fault(stall=70_000)]
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [200, 206])
    assert fetch.lines[0].startswith(f"{NAME}: nothing came for 0.3 s; next try in")
    assert landed(landing) == {NAME: house.files[YEAR].content}


@pytest.mark.parametrize("told", [{}, {"etag": None}, {"last_modified": None}, {"etag": 'W/"weak"'}])
def test_a_broken_connection_goes_on_where_it_broke(
    fetch: Fetcher, house: House, landing: Path, told: dict[str, Any]
) -> None:
    house.files[YEAR] = replace(house.files[YEAR], **told)
    house.faults = [Fault(cut=70_000)]
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [200, 206])
    assert fetch.asked()["Range"] == "bytes=70000-"
    assert landed(landing) == {NAME: house.files[YEAR].content}


def test_what_broke_is_told_with_how_much_had_come(fetch: Fetcher, house: House) -> None:
    house.faults = [Fault(cut=70_000)]
    fetch()
    size = len(house.files[YEAR].content)
    assert fetch.lines[0].startswith(f"{NAME}: the connection broke after 70,000 of {size:,} bytes; next try in")


def test_a_download_that_gets_on_may_break_more_often_than_one_that_does_not(fetch: Fetcher, house: House) -> None:
    house.faults = [Fault(cut=20_000)] * 6
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [200] + [206] * 6)


def test_a_body_that_is_shorter_than_announced_never_lands(fetch: Fetcher, house: House, landing: Path) -> None:
    house.ranges = False
    house.faults = [Fault(cut=70_000)] * 9
    size = len(house.files[YEAR].content)
    assert fetch.error().problem == f"the connection broke after 70,000 of {size:,} bytes, 3 times in a row"
    assert landed(landing) == {}


def test_a_server_without_ranges_sends_all_of_it_again(fetch: Fetcher, house: House, landing: Path) -> None:
    house.ranges = False
    house.faults = [Fault(cut=70_000)]
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [200, 200])
    assert landed(landing) == {NAME: house.files[YEAR].content}


def test_what_can_not_be_named_is_not_asked_the_rest_of(fetch: Fetcher, house: House, landing: Path) -> None:
    house.files[YEAR] = Published(content=zip_of(YEAR), etag='W/"weak"')
    house.faults = [Fault(cut=70_000)]
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [200, 200])
    assert landed(landing) == {NAME: house.files[YEAR].content}


@pytest.mark.parametrize("told", [{}, {"etag": None}, {"last_modified": None}])
@pytest.mark.parametrize(("heeds", "statuses"), [(True, [200, 503, 200]), (False, [200, 503, 206, 200])])
def test_a_file_that_changes_between_two_parts_is_not_pieced_together(
    fetch: Fetcher, house: House, landing: Path, heeds: bool, statuses: list[int], told: dict[str, Any]
) -> None:
    house.conditions_of_ranges = heeds
    house.files[YEAR] = replace(house.files[YEAR], **told)
    house.faults = [Fault(cut=70_000), Fault(status=503)]

    def publish_anew(line: str) -> None:
        if "503" in line:
            house.publish(YEAR, zip_of(YEAR, edition=2), edition=2)
            house.files[YEAR] = replace(house.files[YEAR], **told)

    assert fetch(report=publish_anew).outcome is Outcome.NEW
    assert house.statuses == statuses
    assert landed(landing) == {NAME: zip_of(YEAR, edition=2)}


def test_more_than_the_whole_is_not_asked_for_twice(fetch: Fetcher, house: House, landing: Path) -> None:
    """A process may end between the last byte and the landing."""
    house.faults = [Fault(cut=70_000), Fault(status=403)]
    assert fetch.error()
    (landing / ".fetching" / f"{NAME}.part").write_bytes(house.files[YEAR].content)
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [200, 403, 416, 200])
    assert landed(landing) == {NAME: house.files[YEAR].content}


def test_a_later_call_goes_on_with_what_an_earlier_one_got(fetch: Fetcher, house: House, landing: Path) -> None:
    house.faults = [Fault(cut=70_000), Fault(status=403)]
    assert fetch.error()
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [200, 403, 206])
    assert landed(landing) == {NAME: house.files[YEAR].content}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_part_of_nobody_knows_what_is_not_gone_on_with(
    fetch: Fetcher, house: House, landing: Path, content: str
) -> None:
    house.faults = [Fault(cut=70_000), Fault(status=403)]
    assert fetch.error()
    (landing / ".fetching" / f"{NAME}.part.json").write_text(content, "utf-8")
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [200, 403, 200])
    assert landed(landing) == {NAME: house.files[YEAR].content}


def test_a_part_of_another_address_is_not_gone_on_with(fetch: Fetcher, house: House, landing: Path) -> None:
    house.faults = [Fault(cut=70_000), Fault(status=403)]
    assert fetch.error()
    label = landing / ".fetching" / f"{NAME}.part.json"
    label.write_text(label.read_text("utf-8").replace(house.url, "https://elsewhere"), "utf-8")
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [200, 403, 200])


def test_a_slow_download_ends_when_its_time_is_over(fetch: Fetcher, house: House, landing: Path) -> None:
    """However slowly its bytes trickle, as long as some do."""
    house.pause = 0.2
    fetch.limits = replace(LIMITS, total=0.3)
    started = time.monotonic()
    assert fetch.error().problem == "it was not done after 0.3 s"
    assert time.monotonic() - started < 0.8
    assert landed(landing) == {}


def test_a_body_without_end_is_cut(fetch: Fetcher, landing: Path) -> None:
    fetch.limits = replace(LIMITS, size=50_000)
    assert fetch.error().problem == "it has more than 50,000 bytes"
    assert landed(landing) == {}


# what is no file of the House


WEB_PAGE = b"<!DOCTYPE html><html><body>Em manuten\xc3\xa7\xc3\xa3o</body></html>"
BAD_ARCHIVES = {
    "a page": (WEB_PAGE, "this is a web page"),
    "nothing": (b"", "the file is empty"),
    "cut off": (zip_of(YEAR)[:-100], "it was cut off"),
    "two members": (zip_with({f"Ano-{YEAR}.csv": b"a", "b.csv": b"b"}), "nothing else; it holds"),
    "another year": (zip_of(2023), "it holds 'Ano-2023.csv'"),
    "traversal": (zip_with({f"../../Ano-{YEAR}.csv": b"a"}), "it holds '../../"),
    "a bomb": (zip_with({f"Ano-{YEAR}.csv": bytes(zipped.MAX_RATIO * 100_000)}), "more than 100 to 1"),
}


@pytest.mark.parametrize(("content", "problem"), BAD_ARCHIVES.values(), ids=BAD_ARCHIVES.keys())
def test_what_is_no_file_of_the_year_never_lands(
    fetch: Fetcher, house: House, landing: Path, content: bytes, problem: str
) -> None:
    fetch()
    house.publish(YEAR, content, edition=2)
    error = fetch.error()
    assert problem in error.problem
    assert error.remedy == REMEDY.format(landing)
    assert landed(landing) == {NAME: zip_of(YEAR)}


def test_nothing_is_kept_of_what_is_no_file_of_the_year(fetch: Fetcher, house: House, landing: Path) -> None:
    house.publish(YEAR, WEB_PAGE)
    assert fetch.error()
    assert leftovers(landing) == set()


def test_a_body_whose_length_nobody_told_lands_if_it_is_whole(fetch: Fetcher, house: House, landing: Path) -> None:
    house.tells_length = False
    house.faults = [Fault(cut=70_000)]
    assert fetch.error().problem == "the zip archive has no directory at its end: it was cut off"
    assert landed(landing) == {}
    assert fetch.outcome() is Outcome.NEW


# several at once


def test_some_are_fetched_at_once_and_no_more(house: House, landing: Path) -> None:
    years = range(2010, 2017)
    for year in years:
        house.publish(year, zip_of(year, size=20_000))
    house.pause = 0.05
    fetched = fetch_years(LandingZone(str(landing)), house.url, years, report=lambda _: None)
    assert {one.outcome for one in fetched.values()} == {Outcome.NEW}
    assert house.most_waiting == AT_ONCE == 3


def test_one_years_failure_does_not_stop_the_others(house: House, landing: Path) -> None:
    house.publish(2022, zip_of(2022))
    fetched = fetch_years(LandingZone(str(landing)), house.url, [YEAR, 2023, 2022], report=lambda _: None)
    assert {year: one.outcome for year, one in fetched.items()} == {
        2022: Outcome.NEW,
        2023: Outcome.FAILED,
        YEAR: Outcome.NEW,
    }


def test_progress_leads_from_nothing_to_the_whole(fetch: Fetcher, house: House) -> None:
    told: list[tuple[int, int, int | None]] = []
    fetch(progress=lambda *step: told.append(step))
    size = len(house.files[YEAR].content)
    assert told == sorted(told)
    assert told[-1] == (YEAR, size, size)


def test_nobody_is_told_two_things_at_once(house: House, landing: Path) -> None:
    telling = threading.Lock()

    def tell(*_: object) -> None:
        assert telling.acquire(blocking=False)
        time.sleep(0.01)
        telling.release()

    years = range(2010, 2016)
    assert fetch_years(LandingZone(str(landing)), house.url, years, report=tell, progress=tell).keys() == set(years)


def test_who_interrupts_a_fetch_does_not_wait_for_it(house: House, landing: Path) -> None:
    house.pause = 0.05
    years = range(2010, 2020)
    for year in years:
        house.publish(year, zip_of(year))
    interrupted = threading.Event()

    def interrupt(*_: object) -> None:
        if not interrupted.is_set():
            interrupted.set()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fetch_years(LandingZone(str(landing)), house.url, years, report=lambda _: None, progress=interrupt)
    assert (len(house.seen), landed(landing)) == (AT_ONCE, {})


# processes


Start = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def start(house: House, landing: Path) -> Iterator[Start]:
    """Starts a process that fetches 2024."""
    started: list[subprocess.Popen[str]] = []

    def start_one() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", ONE_YEAR, str(landing), house.url]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_after_a_kill_the_next_process_goes_on_and_lands(
    fetch: Fetcher, house: House, landing: Path, start: Start
) -> None:
    house.pause = 0.05
    part = landing / ".fetching" / f"{NAME}.part"
    killed = start()
    wait_until(lambda: part.exists() and part.stat().st_size > 50_000)
    killed.kill()
    killed.wait()
    begun = part.stat().st_size
    assert (fetch.outcome(), house.statuses) == (Outcome.NEW, [200, 206])
    assert fetch.asked()["Range"] == f"bytes={begun}-"
    assert (landed(landing), leftovers(landing)) == ({NAME: house.files[YEAR].content}, {f"{NAME}.json"})


def test_of_two_processes_one_downloads_and_the_other_finds_it_done(house: House, landing: Path, start: Start) -> None:
    house.pause = 0.1
    processes = [start(), start()]
    told = {process.communicate(timeout=30)[0] for process in processes}
    waiting = f"{NAME}: another process is fetching it; waiting for that\n"
    assert told == {f"{NAME}: new\n", f"{waiting}{NAME}: unchanged\n"}
    assert (house.statuses, landed(landing)) == ([200, 304], {NAME: house.files[YEAR].content})


def test_another_process_is_not_waited_for_without_end(fetch: Fetcher, house: House, start: Start) -> None:
    house.faults = [Fault(stall=1_000)]
    start()
    wait_until(lambda: bool(house.seen))
    fetch.limits = replace(LIMITS, total=0.2)
    assert fetch.error().problem == "another process is still fetching it"


def test_readers_never_see_anything_but_whole_files(fetch: Fetcher, house: House, landing: Path) -> None:
    editions = [zip_of(YEAR, edition=edition) for edition in range(1, 9)]
    seen: list[Mapping[str, bytes]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(landed(landing))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for edition, content in enumerate(editions, start=1):
            house.publish(YEAR, content, edition=edition)
            house.faults = [Fault(cut=70_000)]
            assert fetch(progress=lambda *_: time.sleep(0.002)).outcome is Outcome.NEW
    finally:
        done.set()
        watcher.join()
    assert len(seen) > len(editions)
    assert all(files == {} or (files.keys() == {NAME} and files[NAME] in editions) for files in seen)


# what can't be kept


def test_a_landing_zone_that_can_not_be_written_is_told(fetch: Fetcher, landing: Path) -> None:
    landing.parent.mkdir(parents=True)
    landing.write_bytes(b"a file where the directory should be")
    error = fetch.error()
    assert error.problem.startswith("the landing zone can't be used (")
    assert error.remedy == (
        f"See to it that {landing} can be read and written. Try again later: `deputies-lake fetch --years {YEAR}`."
    )


# on S3


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    # What an earlier module of this process left in the emulated AWS.
    moto_api_backend.reset()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    variables = {"AWS_ENDPOINT_URL": s3_endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # A session of its own: boto3's would keep these credentials for other tests.
    client = boto3.Session().client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="landed")
    yield client
    for key in keys(client):
        client.delete_object(Bucket="landed", Key=key)
    client.delete_bucket(Bucket="landed")


def keys(s3: Any) -> set[str]:
    return {found["Key"] for found in s3.list_objects_v2(Bucket="landed").get("Contents", [])}


def body(s3: Any, key: str) -> bytes:
    content: bytes = s3.get_object(Bucket="landed", Key=key)["Body"].read()
    return content


@pytest.fixture
def fetch_to_s3(house: House, s3: Any) -> Fetcher:
    fetcher = Fetcher(house, "s3://landed/here")
    fetcher.zone = LandingZone("s3://landed/here", "us-east-1")
    return fetcher


def test_on_s3_a_file_lands_with_its_label(fetch_to_s3: Fetcher, house: House, s3: Any) -> None:
    assert fetch_to_s3.outcome() is Outcome.NEW
    assert keys(s3) == {f"here/{NAME}", f"here/.fetching/{NAME}.json"}
    assert body(s3, f"here/{NAME}") == house.files[YEAR].content


def test_on_s3_a_file_that_did_not_change_does_not_come_again(fetch_to_s3: Fetcher, house: House) -> None:
    assert [fetch_to_s3.outcome(), fetch_to_s3.outcome()] == [Outcome.NEW, Outcome.UNCHANGED]
    assert house.statuses == [200, 304]


def test_on_s3_a_file_put_there_by_hand_is_replaced(fetch_to_s3: Fetcher, house: House, s3: Any) -> None:
    fetch_to_s3()
    s3.put_object(Bucket="landed", Key=f"here/{NAME}", Body=zip_of(YEAR, edition=2))
    assert fetch_to_s3.outcome() is Outcome.NEW
    assert body(s3, f"here/{NAME}") == house.files[YEAR].content


def test_on_s3_nothing_is_there_before_all_of_it_has_come(fetch_to_s3: Fetcher, house: House, s3: Any) -> None:
    house.faults = [Fault(cut=70_000)]
    seen: list[set[str]] = []
    assert fetch_to_s3(progress=lambda *_: seen.append(keys(s3))).outcome is Outcome.NEW
    assert seen
    assert set().union(*seen) == set()


def test_on_s3_a_bucket_that_is_not_there_is_told(fetch_to_s3: Fetcher) -> None:
    fetch_to_s3.zone = LandingZone("s3://nobody-made-it/here", "us-east-1")
    assert fetch_to_s3.error().problem.startswith("the landing zone can't be used (")
