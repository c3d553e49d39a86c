"""What a PC has, read from files that the test writes, and from a driver with every kind of fault."""

import contextlib
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from qwen_tui.hardware import gpu
from qwen_tui.hardware import processor as processors
from qwen_tui.hardware.gpu import HUNG, Graphics, graphics, may_have_card, remembering
from qwen_tui.hardware.machine import Machine, this_computer, this_machine
from qwen_tui.hardware.memory import kills_so_far, memory
from qwen_tui.hardware.processor import processor

GIB = 1 << 30
OFFICE_CPU = """processor\t: 0
model name\t: Intel(R) Core(TM) i5-10400 CPU @ 2.90GHz
flags\t\t: fpu sse2 pni ssse3 fma avx f16c avx2 bmi2

processor\t: 1
model name\t: Intel(R) Core(TM) i5-10400 CPU @ 2.90GHz
flags\t\t: fpu sse2 pni ssse3 fma avx f16c avx2 bmi2
"""


def write(root: Path, **files: str) -> Path:
    """Write files under `root`; a double underscore in a name separates folders."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.fixture
def plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=16 * GIB, available=12 * GIB))


def test_the_processor_tells_its_name_and_instruction_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    found = processor(write(tmp_path, proc__cpuinfo=OFFICE_CPU))
    assert found.name.startswith("Intel(R) Core(TM) i5-10400")
    assert found.has("AVX2")
    assert found.has("FMA")
    assert found.has("AVX512") is False


def test_processor_facts_that_the_system_does_not_report_are_unknown(tmp_path: Path) -> None:
    found = processor(tmp_path)
    assert found.instructions is None
    assert found.has("AVX2") is None
    assert found.cores >= 1


@pytest.mark.usefixtures("plenty")
@pytest.mark.parametrize(
    ("files", "total", "free"),
    [
        pytest.param({}, 16, 12, id="no control groups"),
        pytest.param(
            {
                "proc__self__cgroup": "0::/service\n",
                "sys__fs__cgroup__service__memory.max": f"{4 * GIB}\n",
                "sys__fs__cgroup__service__memory.current": f"{3 * GIB}\n",
                "sys__fs__cgroup__service__memory.stat": f"anon {GIB}\ninactive_file {GIB}\nactive_file {GIB}\n",
            },
            4,
            3,
            id="version 2: cached files count as free",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "0::/slice/service\n",
                "sys__fs__cgroup__slice__memory.max": f"{2 * GIB}\n",
                "sys__fs__cgroup__slice__memory.current": f"{GIB}\n",
                "sys__fs__cgroup__slice__service__memory.max": "max\n",
            },
            2,
            1,
            id="version 2: the limit is further up",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "5:cpu:/x\n4:memory:/docker/abc\n",
                "sys__fs__cgroup__memory__memory.limit_in_bytes": f"{8 * GIB}\n",
                "sys__fs__cgroup__memory__memory.usage_in_bytes": f"{5 * GIB}\n",
                "sys__fs__cgroup__memory__memory.stat": f"total_inactive_file {GIB}\n",
            },
            8,
            4,
            id="version 1 in a container: the path is the host's",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "4:memory:/\n",
                "sys__fs__cgroup__memory__memory.limit_in_bytes": f"{2**63 - 4096}\n",
            },
            16,
            12,
            id="version 1 without a limit",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "0::/\n",
                "sys__fs__cgroup__memory.max": "nonsense",
                "sys__fs__cgroup__memory.stat": "x",
            },
            16,
            12,
            id="nonsense",
        ),
    ],
)
def test_memory_is_within_what_control_groups_allow(
    tmp_path: Path, files: dict[str, str], total: int, free: int
) -> None:
    found = memory(write(tmp_path, **files))
    assert (found.total, found.free, found.limited) == (total * GIB, free * GIB, total < 16)


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        pytest.param({}, None, id="nobody counts"),
        pytest.param({"proc__vmstat": "nr_free_pages 3\noom_kill 4\n"}, 4, id="the whole PC"),
        pytest.param(
            {
                "proc__self__cgroup": "0::/a/b\n",
                "sys__fs__cgroup__a__b__memory.events": "low 0\noom 2\noom_kill 1\noom_group_kill 0\n",
                "sys__fs__cgroup__a__memory.events": "oom_kill 5\n",
                "proc__vmstat": "oom_kill 9\n",
            },
            1,
            id="version 2",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "4:memory:/docker/3f\n0::/\n",
                "sys__fs__cgroup__memory__memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
            },
            2,
            id="version 1 in a container: the path is the host's",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "0::/\n",
                "sys__fs__cgroup__memory.events": "oom 1\n",
                "proc__vmstat": "oom_kill 9\n",
            },
            9,
            id="a kernel before 4.13",
        ),
    ],
)
def test_what_the_kernel_killed_for_lack_of_memory_is_counted_nearest_first(
    tmp_path: Path, files: dict[str, str], kills: int | None
) -> None:
    assert kills_so_far(write(tmp_path, **files)) == kills


MOUNTS = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
V2 = MOUNTS + "41 31 0:38 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = MOUNTS + "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        pytest.param({}, 8, id="no control groups"),
        pytest.param(
            {
                "proc__self__cgroup": "0::/\n",
                "proc__self__mountinfo": V2,
                "sys__fs__cgroup__cpu.max": "100000 100000\n",
            },
            1,
            id="docker --cpus=1, version 2",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "0::/user.slice/run.scope\n",
                "proc__self__mountinfo": V2,
                "sys__fs__cgroup__user.slice__cpu.max": "150000 100000\n",
                "sys__fs__cgroup__user.slice__run.scope__cpu.max": "max 100000\n",
            },
            2,
            id="one and a half, further up",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "0::/a/b\n",
                "sys__fs__cgroup__a__cpu.max": "300000 100000\n",
                "sys__fs__cgroup__a__b__cpu.max": "20000 100000\n",
            },
            1,
            id="the smallest counts; a fifth of a core is one",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "3:cpuset:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/\n",
                "proc__self__mountinfo": V1.replace(" / /sys/fs/cgroup/cpu", " /docker/abc /sys/fs/cgroup/cpu"),
                "sys__fs__cgroup__cpu,cpuacct__cpu.cfs_quota_us": "250000\n",
                "sys__fs__cgroup__cpu,cpuacct__cpu.cfs_period_us": "100000\n",
            },
            3,
            id="docker, version 1: its own group is mounted",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "1:cpu,cpuacct:/batch/job\n",
                "proc__self__mountinfo": V1.replace("/cpu,cpuacct rw", "/with\\040blank rw"),
                "sys__fs__cgroup__with blank__batch__job__cpu.cfs_quota_us": "-1\n",
                "sys__fs__cgroup__with blank__batch__job__cpu.cfs_period_us": "100000\n",
                "sys__fs__cgroup__with blank__batch__cpu.cfs_quota_us": "400000\n",
                "sys__fs__cgroup__with blank__batch__cpu.cfs_period_us": "100000\n",
            },
            4,
            id="version 1, further up, at an unusual place",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "0::/../../elsewhere\n",
                "proc__self__mountinfo": V2,
                "sys__fs__cgroup__cpu.max": "200000 100000\n",
            },
            2,
            id="a group outside of what is seen",
        ),
        pytest.param(
            {"proc__self__cgroup": "0::/\n", "sys__fs__cgroup__cpu.max": "1600000 100000\n"},
            8,
            id="more than there are",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "nonsense\n0::/\n",
                "proc__self__mountinfo": "nonsense\n1 2 - \n",
                "sys__fs__cgroup__cpu.max": "all of them",
            },
            8,
            id="nonsense",
        ),
    ],
)
def test_no_more_threads_compute_than_control_groups_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16 if logical else 8)
    monkeypatch.setattr(processors, "_bound", lambda: 16)
    found = processor(write(tmp_path, **files))
    assert found.cores == cores
    assert found.logical_cores == (cores if cores < 8 else 16)
    assert (found.all_cores, found.limit) == (8, "quota" if cores < 8 else None)


def test_no_more_threads_compute_than_the_program_is_bound_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16 if logical else 8)
    monkeypatch.setattr(processors, "_bound", lambda: 2)
    found = processor(tmp_path)
    assert (found.cores, found.logical_cores, found.all_cores, found.limit) == (2, 2, 8, "affinity")


class Driver:
    """A driver with one GTX 1650; the functions in `failing` raise."""

    NVML_CLOCK_MEM = 2

    def __init__(self, *failing: str) -> None:
        self._failing = failing

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("nvml"):
            return object.__getattribute__(self, name)
        if name in self._failing or "everything" in self._failing:
            raise RuntimeError(f"{name} fails")
        answers: dict[str, Any] = {
            "nvmlDeviceGetCount": 1,
            "nvmlSystemGetDriverVersion": "550.54",
            "nvmlSystemGetCudaDriverVersion": 12040,
            "nvmlDeviceGetName": b"NVIDIA GeForce GTX 1650",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=4096 << 20, free=3400 << 20),
            "nvmlDeviceGetDisplayMode": 1,
            "nvmlDeviceGetDisplayActive": 0,
            "nvmlDeviceGetCudaComputeCapability": (7, 5),
            "nvmlDeviceGetMaxClockInfo": 4001,
            "nvmlDeviceGetMemoryBusWidth": 128,
            "nvmlDeviceGetPciInfo": SimpleNamespace(busIdLegacy=b"0000:0A:00.0"),
        }
        return lambda *_arguments: answers.get(name)


def test_a_card_tells_what_it_is() -> None:
    found = graphics(lambda: Driver())
    assert (found.driver, found.cuda, found.trouble) == ("550.54", "12.4", "")
    card = found.card
    assert card is not None
    assert card.name == "NVIDIA GeForce GTX 1650"
    assert (card.total, card.free) == (4096 << 20, 3400 << 20)
    assert card.display is False, "it could have a screen, and has none"
    assert card.capability == (7, 5)
    assert card.id == "0000:0a:00.0", "as ggml writes it"
    assert card.bandwidth == 128_032_000_000


@pytest.mark.parametrize(
    "failing",
    ["nvmlDeviceGetMemoryInfo", "nvmlDeviceGetName", "nvmlDeviceGetMaxClockInfo", "nvmlSystemGetCudaDriverVersion"],
)
def test_facts_that_a_card_does_not_report_are_unknown(failing: str) -> None:
    found = graphics(lambda: Driver(failing))
    assert found.trouble == ""
    assert len(found.cards) == 1


@pytest.mark.parametrize("failing", ["everything", "nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"])
def test_a_failing_driver_is_reported_as_broken(failing: str) -> None:
    found = graphics(lambda: Driver(failing))
    assert (found.trouble, found.cards) == ("broken", ())
    assert "fails" in found.detail


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the list of devices on the PCI bus")
def test_a_pc_without_a_card_is_known_by_what_is_on_its_bus(tmp_path: Path) -> None:
    def absent() -> Any:
        raise ImportError("No module named 'pynvml'")

    def put(slot: str, vendor: str, kind: str) -> None:
        folder = tmp_path / "sys" / "bus" / "pci" / "devices" / slot
        write(folder, vendor=vendor + "\n")
        write(folder, **{"class": kind + "\n"})

    assert graphics(absent, root=tmp_path).trouble == "no_library", "a system that does not tell"
    put("0000:00:02.0", "0x8086", "0x030000")
    put("0000:00:0a.0", "0x10de", "0x020000")
    assert graphics(absent, root=tmp_path).trouble == "no_card", "graphics of Intel, a network card of NVIDIA"
    put("0000:01:00.0", "0x10de", "0x030200")
    assert graphics(absent, root=tmp_path).trouble == "no_library", "a card without its driver"


@pytest.mark.parametrize(
    ("devices", "trouble"),
    [
        (["VEN_8086&DEV_3E92&SUBSYS_86941043&REV_00"], "no_card"),
        (["VEN_8086&DEV_3E92&SUBSYS_86941043&REV_00", "VEN_10DE&DEV_1F82&SUBSYS_86941043&REV_A1"], "no_library"),
        ([], "no_library"),
        (OSError("access is denied"), "no_library"),
    ],
    ids=["graphics of Intel", "a card without its driver", "nothing is listed", "nothing may be read"],
)
def test_windows_lists_the_devices_in_its_registry(
    devices: list[str] | OSError, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> Any:
        raise ImportError("No module named 'pynvml'")

    def opened(_root: str, path: str) -> Any:
        assert path == r"SYSTEM\CurrentControlSet\Enum\PCI"
        if isinstance(devices, OSError):
            raise devices
        return contextlib.nullcontext(devices)

    registry = SimpleNamespace(
        HKEY_LOCAL_MACHINE="HKLM",
        OpenKey=opened,
        QueryInfoKey=lambda names: (len(names), 0, 0),
        EnumKey=lambda names, index: names[index],
    )
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setattr(gpu, "sys", SimpleNamespace(platform="win32"))
    assert graphics(absent).trouble == trouble


def test_no_driver_and_no_library_are_no_failures(tmp_path: Path) -> None:
    class Absent(Exception):  # noqa: N818 - as the real one
        value = 12

    def raising(error: Exception) -> Any:
        def call() -> None:
            raise error

        return call

    absent = SimpleNamespace(nvmlInit=raising(Absent("not found")))
    assert graphics(lambda: absent, root=tmp_path).trouble == "no_driver"
    assert graphics(raising(ImportError("No module named 'pynvml'")), root=tmp_path).trouble == "no_library"
    assert graphics(raising(OSError("a damaged library")), root=tmp_path).trouble == "no_library"


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """An event that ends the hang of the driver, at the latest with the test: it would affect other tests."""
    end = threading.Event()
    yield end
    end.set()
    until_answered()


def until_answered() -> None:
    for thread in threading.enumerate():
        if "driver" in thread.name:
            thread.join(30)


def test_a_driver_that_hangs_is_waited_for_once(hanging: threading.Event) -> None:
    asked: list[bool] = []

    def hang() -> None:
        asked.append(True)
        hanging.wait(600)
        raise RuntimeError("mended")

    begun = time.monotonic()
    for _time in range(20):
        assert graphics(lambda: SimpleNamespace(nvmlInit=hang), patience=1) == HUNG
    # If each call waited, this would take twenty seconds.
    assert time.monotonic() - begun < 15
    assert len(asked) == 1
    hanging.set()
    until_answered()
    assert graphics(lambda: SimpleNamespace(nvmlInit=hang)).detail == "mended"


def test_a_driver_that_was_only_slow_is_asked_again(tmp_path: Path, hanging: threading.Event) -> None:
    memory = tmp_path / "driver-hung"

    def slow() -> None:
        hanging.wait(600)
        raise RuntimeError("awake")

    def ask() -> Graphics:
        return graphics(lambda: SimpleNamespace(nvmlInit=slow), patience=0.1)

    assert remembering(memory, ask) == HUNG
    assert memory.exists()
    hanging.set()
    until_answered()
    deadline = time.monotonic() + 30
    while memory.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert remembering(memory, ask).detail == "awake"


def test_a_driver_that_hung_is_left_alone_for_an_hour_or_until_the_pc_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, asked, answers = tmp_path / "cache" / "driver-hung", [], [HUNG]

    def ask() -> Graphics:
        asked.append(True)
        return answers[0]

    def times() -> int:
        asked.clear()
        for _time in range(3):
            assert remembering(memory, ask) == answers[0]
        return len(asked)

    assert times() == 1
    assert times() == 0
    hour_ago = time.time() - 3700
    os.utime(memory, (hour_ago, hour_ago))
    assert times() == 1
    started = time.time() + 1
    monkeypatch.setattr(psutil, "boot_time", lambda: started)
    assert times() == 3
    memory.unlink()
    answers[0] = Graphics(driver="550")
    assert times() == 3
    assert not memory.exists()


def test_this_pc_describes_itself() -> None:
    machine, computer = this_machine(), this_computer()
    assert isinstance(machine, Machine)
    assert machine.cpu == computer.processor.name
    assert computer.memory.free <= computer.memory.total
    assert machine == this_machine()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="files of devices")
def test_a_container_and_wsl_show_a_card_by_its_file(tmp_path: Path) -> None:
    assert not may_have_card(tmp_path)
    assert may_have_card(write(tmp_path, dev__dxg=""))
