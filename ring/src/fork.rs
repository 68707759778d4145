//! What a fork must not inherit.
//!
//! A child shares its parent's open files, and with them the lock that keeps the parent's seat: a dead
//! parent would look alive for as long as the child lives. So the mapping is not inherited
//! (`MADV_DONTFORK`), and the child closes its copies of the descriptors before it runs anything else.
#![allow(unsafe_code)]

use std::os::fd::RawFd;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, Ordering};

use crossbeam_utils::{Backoff, CachePadded};
use nix::libc;

/// How many forks lie between this process and the one that loaded the library. On a line of its own: every
/// operation reads it.
static GENERATION: CachePadded<AtomicU32> = CachePadded::new(AtomicU32::new(0));
/// Held from before a descriptor is opened until it is registered, and while the process forks.
static OPENING: AtomicBool = AtomicBool::new(false);
/// Every registration ever made, linked; free ones are used again.
static NODES: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());

const FREE: RawFd = -1;

struct Node {
    fd: AtomicI32,
    next: *mut Node,
}

/// The generation of this process. A handle made in another one belongs to a parent.
#[inline(always)]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// A descriptor that a forked child closes. Taken back when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    node: &'static AtomicI32,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.node.store(FREE, Ordering::Release);
    }
}

/// Opens a descriptor and registers it, with no fork in between.
pub(crate) fn register<F, E>(open: impl FnOnce() -> Result<F, E>) -> Result<(F, Registration), E>
where
    F: std::os::fd::AsRawFd,
{
    install();
    not_meanwhile(|| {
        let file = open()?;
        let registration = Registration { node: slot(file.as_raw_fd()) };
        Ok((file, registration))
    })
}

/// Does something that no fork may come in between. It must not fork or call this itself.
pub(crate) fn not_meanwhile<T>(something: impl FnOnce() -> T) -> T {
    acquire();
    let done = something();
    release();
    done
}

fn slot(fd: RawFd) -> &'static AtomicI32 {
    let mut node = NODES.load(Ordering::Acquire);
    while !node.is_null() {
        // SAFETY: nodes are leaked boxes, never freed.
        let there = unsafe { &*node };
        if there.fd.compare_exchange(FREE, fd, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return &there.fd;
        }
        node = there.next;
    }
    // Only the holder of OPENING adds nodes, so a plain store of the head suffices.
    let new = Box::leak(Box::new(Node { fd: AtomicI32::new(fd), next: NODES.load(Ordering::Relaxed) }));
    NODES.store(new, Ordering::Release);
    &new.fd
}

fn acquire() {
    let backoff = Backoff::new();
    while OPENING.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        backoff.snooze();
    }
}

fn release() {
    OPENING.store(false, Ordering::Release);
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handlers are functions of this module that only touch atomics and call close(2),
        // which is async-signal-safe.
        let refused =
            unsafe { libc::pthread_atfork(Some(before_fork), Some(after_in_parent), Some(after_in_child)) };
        debug_assert_eq!(refused, 0, "pthread_atfork has no memory");
    });
}

extern "C" fn before_fork() {
    acquire();
}

extern "C" fn after_in_parent() {
    release();
}

extern "C" fn after_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    let mut node = NODES.load(Ordering::Acquire);
    while !node.is_null() {
        // SAFETY: nodes are leaked boxes, never freed.
        let there = unsafe { &*node };
        let fd = there.fd.swap(FREE, Ordering::AcqRel);
        if fd != FREE {
            // SAFETY: the descriptor is the child's copy of one that a handle of the parent owns; handles of
            // another generation never use or close theirs, so nobody in this process does.
            unsafe { libc::close(fd) };
        }
        node = there.next;
    }
    release();
}
