//! Elements in place: places to write some, and those that are there to be read.
#![allow(unsafe_code)]

use std::fmt;
use std::mem::size_of;
use std::ops::{Deref, DerefMut};
use std::slice;

use bytemuck::Pod;

use super::{TypedConsumer, TypedProducer, to_end};

/// Places for elements, to be written in place: a `[T]` that holds whatever was there before.
///
/// [`TypedClaim::commit`] sends them all, with one store. Dropping it instead sends nothing and leaves no trace, also when
/// the process dies. In a forked child they are gone: committing and dropping do nothing there.
#[must_use = "a claim that is not committed sends nothing"]
pub struct TypedClaim<'a, T: Pod> {
    producer: &'a mut TypedProducer<T>,
    places: *mut T,
    len: usize,
}

impl<'a, T: Pod> TypedClaim<'a, T> {
    /// The caller has asked the producer's cursor whether there is room.
    #[inline(always)]
    pub(super) fn new(producer: &'a mut TypedProducer<T>, most: usize) -> Self {
        let (position, room) = (producer.cursor.position(), producer.cursor.known_room());
        let len = most.min(room as usize).min(to_end(position, producer.core.region.identity().capacity));
        let places = producer.core.region.slots().at(position, size_of::<T>()).cast();
        Self { producer, places, len }
    }

    /// Keeps the first `len` places, if there are more.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Sends what is in the places.
    #[inline(always)]
    pub fn commit(self) {
        if !self.producer.core.region.is_foreign() {
            self.producer.publish(self.len as u64);
        }
    }
}

impl<T: Pod> Deref for TypedClaim<'_, T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: so many places from the producer's position on are free and in one piece, aligned as in `put_run`, and the
        // producer's alone until it publishes, for which this claim would have to end; every bit pattern is a valid `T`.
        unsafe { slice::from_raw_parts(self.places, self.len) }
    }
}

impl<T: Pod> DerefMut for TypedClaim<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the claim is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.places, self.len) }
    }
}

impl<T: Pod> fmt::Debug for TypedClaim<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedClaim").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Elements in the ring, read in place: a `[T]`. Released (acknowledged) with one store when dropped.
///
/// What a consumer was reading in place when it died comes again to the next one, without a mark. In a forked child the
/// elements are gone, and dropping does nothing.
///
/// Whoever may write the segment could change them meanwhile; peers are trusted not to. Where they are not, receive by
/// copying: [`TypedConsumer::recv`], [`TypedConsumer::recv_many`].
#[must_use = "elements are released when dropped"]
pub struct TypedDrain<'a, T: Pod> {
    consumer: &'a mut TypedConsumer<T>,
    elements: *const T,
    len: usize,
}

impl<'a, T: Pod> TypedDrain<'a, T> {
    /// The caller has found at least one.
    #[inline(always)]
    pub(super) fn new(consumer: &'a mut TypedConsumer<T>, most: usize) -> Self {
        let position = consumer.cursor.position();
        let known = consumer.known_up_to(most);
        let len = known.min(to_end(position, consumer.core.region.identity().capacity));
        consumer.ask_ahead(len as u64);
        let elements = consumer.core.region.slots().at(position, size_of::<T>()).cast_const().cast();
        Self { consumer, elements, len }
    }
}

impl<T: Pod> Deref for TypedDrain<'_, T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: so many elements from the consumer's position on are published and in one piece, aligned as in `put_run`;
        // producers leave them alone until they are released, which is when `self` is dropped; every bit pattern is a
        // valid `T`.
        unsafe { slice::from_raw_parts(self.elements, self.len) }
    }
}

impl<T: Pod> Drop for TypedDrain<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.consumer.core.region.is_foreign() {
            self.consumer.cursor.pass(self.len as u64);
            self.consumer.release();
        }
    }
}

impl<T: Pod> fmt::Debug for TypedDrain<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedDrain").field("len", &self.len).finish_non_exhaustive()
    }
}
