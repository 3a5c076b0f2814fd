"""What a driver has started ends with it, also if it is killed."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="processes are found in /proc")

# Some processes of Ray write their title over their environment, in which the guard finds them.
CHILD = """
import os, sys, time
if sys.argv[1] == "forgets":
    time.sleep(4)
    os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"], {})
time.sleep(600)
"""
DRIVER = f"""
import subprocess, sys, time
sys.path.append({str(Path(__file__).parents[2] / "src")!r})
from ddfa.batch.ray_guard import guarded
with guarded():
    sleep = [sys.executable, "-c", {CHILD!r}, sys.argv[2]]
    child = subprocess.Popen(sleep, start_new_session=True, stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    time.sleep(600 if sys.argv[1] == "killed" else 0)
"""


def is_alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def forgotten(number: int) -> bool:
    return b"DDFA_RAY_RUN" not in Path(f"/proc/{number}/environ").read_bytes()


@pytest.mark.parametrize("kind", ["remembers", "forgets"])
def test_a_killed_driver_takes_its_processes_with_it(kind):
    with subprocess.Popen([sys.executable, "-c", DRIVER, "killed", kind], stdout=subprocess.PIPE, text=True) as driver:
        child = int(driver.stdout.readline())
        assert is_alive(child)
        while kind == "forgets" and not forgotten(child):
            time.sleep(0.05)
        driver.kill()
        driver.wait()
    until = time.monotonic() + 15
    while is_alive(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(child)


def test_a_driver_that_ends_by_itself_leaves_nothing():
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, "ends", "remembers"], stdout=subprocess.PIPE, text=True, check=False
    )
    child = int(done.stdout.split()[0])
    assert done.returncode == 0
    until = time.monotonic() + 15
    while is_alive(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(child)
