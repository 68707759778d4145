"""A test job that creates a segment and starts another container, which sees it.

Run by pytest or, without it, `python3 -m unittest test_shared`. The job's own process is one end, so its container
has the volume $RINGS at /dev/shm, and the Docker socket to start the other end as its sibling:

    docker volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=64m,mode=1777 $RINGS
    docker run --rm -e RINGS -e PODRING_IMAGE -v $RINGS:/dev/shm:nocopy \\
      -v /var/run/docker.sock:/var/run/docker.sock TESTS-IMAGE python3 -m pytest test_shared.py
    docker volume rm $RINGS

Every job has a volume of its own: the names in it are its own too, and nothing is left for the next.
"""

import os
import subprocess
import sys
import textwrap
import unittest
from multiprocessing import shared_memory

import podring_segment as podring

RINGS = os.environ.get("RINGS")
IMAGE = os.environ.get("PODRING_IMAGE", "podring")
LABELS = [word for label in os.environ.get("LABELS", "").split() for word in ("--label", label)]


def container(*command, stdin=None):
    """Runs podring in a container beside this one, on the same volume, and returns what it prints."""
    run = ["docker", "run", "--rm", "-i", "--network", "none", "--user", f"{os.getuid()}:{os.getgid()}"]
    run += [*LABELS, "-v", f"{RINGS}:/dev/shm:nocopy", IMAGE, *command]
    done = subprocess.run(run, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command}: exit code {done.returncode}: {done.stderr.decode()}")
    return done.stdout


def python(program):
    """Runs a Python program of its own."""
    return subprocess.run([sys.executable, "-c", textwrap.dedent(program)], timeout=60, check=False, stderr=subprocess.PIPE)


@unittest.skipIf(RINGS is None, "RINGS, the volume at this container's /dev/shm, is not set")
class Shared(unittest.TestCase):
    def test_nothing_of_other_jobs_is_there(self):
        # Nobody else knows of this volume, no earlier job has used it, and each test takes away what it made.
        self.assertEqual(self.names(), [])

    def test_a_container_sees_a_segment_that_this_process_makes(self):
        made = shared_memory.SharedMemory(name="job", create=True, size=4096)
        self.addCleanup(made.unlink)
        self.addCleanup(made.close)
        made.buf[:5] = b"hello"
        self.assertIn("job", container("ls").decode())

    def test_this_process_sees_the_ring_of_a_container(self):
        # Two jobs use this name at once and do not meet: each finds only what it has sent.
        mine = f"of {RINGS}"
        container("send", "orders", "--format", "lines", "--keep-open", stdin=f"{mine}\n{mine}\n".encode())
        self.addCleanup(container, "rm", "orders")
        segment = podring.attach("orders")
        self.addCleanup(segment.close)
        view = segment.buf.toreadonly()
        self.addCleanup(view.release)
        identity = podring.identity(view)
        self.assertEqual((identity.kind, identity.stride, identity.capacity), ("bytes", 1, 1 << 20))
        self.assertEqual(identity.total_bytes, segment.size)
        self.assertTrue(identity.creator.startswith("podring"))
        before = podring.positions(view)
        self.assertEqual((before.head, before.closed), (0, False))
        # Two records of 8 bytes and the text, rounded up to 8.
        self.assertEqual(before.used, 2 * (8 + (len(mine) + 7) // 8 * 8))
        self.assertEqual(podring.messages(view, 0), 2)
        received = container("recv", "orders", "--format", "lines", "-n", "2", "--timeout", "20s")
        self.assertEqual(received.decode(), f"{mine}\n{mine}\n")
        after = podring.positions(view)
        self.assertEqual((after.used, after.head), (0, before.tail))
        self.assertEqual(podring.messages(view, 1), 2)

    def test_reading_needs_no_permission_to_write(self):
        container("create", "watched", "--capacity", "64K")
        self.addCleanup(container, "rm", "watched")
        with podring.attach_read_only("watched") as segment:
            self.assertEqual(podring.identity(segment).capacity, 64 << 10)
            with self.assertRaises(TypeError):
                segment[0] = 0

    def test_a_program_that_only_looked_removes_nothing_at_its_end(self):
        container("create", "kept", "--capacity", "64K")
        self.addCleanup(container, "rm", "kept", "--force")
        python("import podring_segment; podring_segment.attach('kept').close()")
        self.assertIn("kept", self.names())

    @unittest.skipIf(sys.version_info >= (3, 13), "this Python asks whose a segment is")
    def test_why_attach_keeps_the_tracker_out(self):
        container("create", "lost", "--capacity", "64K")
        python("from multiprocessing import shared_memory; shared_memory.SharedMemory(name='lost').close()")
        self.assertNotIn("lost", self.names())

    def test_a_segment_that_is_no_ring_is_refused(self):
        made = shared_memory.SharedMemory(name="noise", create=True, size=4096)
        self.addCleanup(made.unlink)
        self.addCleanup(made.close)
        with self.assertRaises(podring.NotARing):
            podring.identity(made.buf)

    @staticmethod
    def names():
        return sorted(os.listdir("/dev/shm"))


if __name__ == "__main__":
    unittest.main()
