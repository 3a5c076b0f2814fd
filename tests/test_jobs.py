"""Jobs in parts: resumable, on any number of processes."""

import json
import math
import os
from functools import partial

import pytest

from ddfa.errors import DataError, DDFAError
from ddfa.jobs import check_settings, missing, run, run_all, run_missing, with_progress


def test_settings_are_recorded_and_compared(tmp_path):
    path = tmp_path / "settings.json"
    assert not check_settings(path, {"size": 3, "pair": (1, 2), "name": None})
    assert json.loads(path.read_text()) == {"size": 3, "pair": [1, 2], "name": None}
    assert check_settings(path, {"name": None, "pair": (1, 2), "size": 3})
    with pytest.raises(DataError, match=r"other settings \(more, size\)"):
        check_settings(path, {"size": 4, "pair": (1, 2), "more": 1})


@pytest.mark.parametrize("damaged", ["", "3", "[1", "null"])
def test_damaged_settings_are_one_clear_error(tmp_path, damaged):
    (tmp_path / "settings.json").write_text(damaged)
    with pytest.raises(DataError, match="cannot be read"):
        check_settings(tmp_path / "settings.json", {})


def test_missing_parts(tmp_path):
    parts = [tmp_path / str(number) for number in range(4)]
    parts[1].touch()
    parts[3].mkdir()
    assert missing(parts) == [0, 2, 3]


@pytest.mark.parametrize("method", [None, "spawn"])
def test_every_task_runs_once(method):
    done = dict(run(partial(partial, math.sqrt), [0.0, 1.0, 4.0, 9.0], 2, method))
    assert done == {0: 0, 1: 1, 2: 2, 3: 3}


def test_results_come_in_the_order_of_the_tasks():
    assert run_all(partial(partial, math.sqrt), [9.0, 4.0, 1.0], 2) == [3, 2, 1]


def test_no_task_starts_no_process():
    assert not list(run(lambda: pytest.fail("opened"), [], 2))


def test_errors_of_tasks_and_of_opening_reach_the_caller():
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        list(run(partial(partial, math.sqrt), [1.0, -1.0], 1))
    with pytest.raises(ZeroDivisionError):
        list(run(partial(divmod, 1, 0), [1.0], 1))


def test_a_worker_that_dies_is_one_clear_error():
    with pytest.raises(DDFAError, match=r"a worker process died.*to resume"):
        list(run(partial(partial, os._exit), [1], 1))


def touch_once(path):
    path.touch(exist_ok=False)


def test_only_missing_parts_are_done(tmp_path):
    parts = [tmp_path / str(number) for number in range(3)]
    parts[1].touch()
    run_missing(partial(partial, touch_once), parts, parts, workers=1)
    assert not missing(parts)
    run_missing(partial(partial, touch_once), parts, parts, workers=1)


def test_progress_returns_the_results(monkeypatch):
    assert list(with_progress(iter([1, 2]), "test", 2)) == [1, 2]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert list(with_progress(iter([1, 2]), "test", 3, int)) == [1, 2]
