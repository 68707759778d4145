//! What kind of ring is wanted, and whether the one that is there will do.

use crate::algo::record;
use crate::algo::repair::Orphan;
use crate::options::Settings;
#[cfg(feature = "bytemuck")]
use crate::shm::header::NAME_BYTES;
use crate::shm::header::{Element, Facts, Identity, Kind, MIN_CAPACITY, MIN_SLOTS, now_ns, slot_stride};
use crate::shm::object::{self, Location};
use crate::{Error, Result};

/// What kind of ring is wanted: units asked for, and what to make where nothing was asked.
#[derive(Debug)]
pub(crate) struct Shape {
    kind: Kind,
    capacity: Option<u64>,
    default_capacity: u64,
    largest: Option<u64>,
    stride: u64,
    element: Element,
    orphan: Option<Orphan>,
}

/// Bytes of the largest ring's data.
pub(crate) const LARGEST_RING: u64 = 1 << 39;
/// The largest message of a ring with many participants, where nothing was asked: a slot of 1 KiB.
const DEFAULT_SLOT_MESSAGE: u64 = 1008;
/// Slots of such a ring, where nothing was asked.
const DEFAULT_SLOTS: u64 = 1024;

impl Shape {
    pub(crate) fn bytes(options: &Settings) -> Result<Self> {
        let invalid = |option, value: usize, why: String| Error::OptionInvalid {
            ring: options.name.as_str().into(),
            option,
            value: value.to_string(),
            why,
        };
        let capacity = match options.capacity {
            None => None,
            Some(bytes) => match bytes.checked_next_power_of_two() {
                Some(rounded) if rounded as u64 <= LARGEST_RING => Some((rounded as u64).max(MIN_CAPACITY)),
                _ => return Err(invalid("capacity", bytes, "the largest ring has 512 GiB".into())),
            },
        };
        let default_capacity = 1 << 20;
        let largest = options.largest.map(|bytes| bytes as u64);
        let element = Element::default();
        Ok(Self { kind: Kind::Bytes, capacity, default_capacity, largest, stride: 1, element, orphan: None })
    }

    /// Slots for messages of any length up to the largest, for many participants.
    pub(crate) fn slots(options: &Settings) -> Result<Self> {
        let largest = options.largest.map(|bytes| bytes as u64);
        let element = Element::default();
        Self::of_slots(options, Kind::Mpmc, options.slots, largest, element)
    }

    fn of_slots(
        options: &Settings,
        kind: Kind,
        slots: Option<usize>,
        largest: Option<u64>,
        element: Element,
    ) -> Result<Self> {
        let invalid = |option, value: String, why: &str| {
            Err(Error::OptionInvalid { ring: options.name.as_str().into(), option, value, why: why.into() })
        };
        let message = largest.unwrap_or(DEFAULT_SLOT_MESSAGE);
        let stride = match slot_stride(kind, message, &element) {
            Some(stride) if message <= u64::from(u32::MAX) => stride,
            _ => return invalid("largest message", message.to_string(), "a message has at most 4 GiB"),
        };
        let capacity = match slots.map(|slots| (slots as u64).max(MIN_SLOTS).checked_next_power_of_two()) {
            None => None,
            Some(Some(slots)) if slots.checked_mul(stride).is_some_and(|len| len <= LARGEST_RING) => {
                Some(slots)
            }
            Some(_) => return invalid("slots", format!("{slots:?}"), "the largest ring has 512 GiB"),
        };
        if DEFAULT_SLOTS.checked_mul(stride).is_none_or(|len| len > LARGEST_RING) && capacity.is_none() {
            return invalid(
                "largest message",
                message.to_string(),
                "1024 slots of it are more than 512 GiB: state slots",
            );
        }
        Ok(Self {
            kind,
            capacity,
            default_capacity: DEFAULT_SLOTS,
            largest,
            stride,
            element,
            orphan: options.orphan,
        })
    }

    #[cfg(feature = "bytemuck")]
    fn check_element(options: &Settings, element: &Element) -> Result<()> {
        let invalid = |option, value: String, why: &str| {
            Err(Error::OptionInvalid { ring: options.name.as_str().into(), option, value, why: why.into() })
        };
        if element.name.len() > NAME_BYTES || element.name.chars().any(char::is_control) {
            return invalid(
                "type name",
                format!("{:?}", element.name),
                "it has up to 64 bytes, none of control",
            );
        }
        if element.size == 0 || element.size > u64::from(u32::MAX) || element.align > 4096 {
            return invalid(
                "the element type",
                format!("{} ({} bytes, aligned to {})", element.name, element.size, element.align),
                "an element has 1 byte to 4 GiB and is aligned to at most 4096",
            );
        }
        Ok(())
    }

    #[cfg(feature = "bytemuck")]
    pub(crate) fn typed(options: &Settings, elements: Option<usize>, element: Element) -> Result<Self> {
        Self::check_element(options, &element)?;
        let capacity = match elements.map(|count| count.max(1).checked_next_power_of_two()) {
            None => None,
            Some(Some(count))
                if (count as u64).checked_mul(element.size).is_some_and(|len| len <= LARGEST_RING) =>
            {
                Some(count as u64)
            }
            Some(_) => {
                return Err(Error::OptionInvalid {
                    ring: options.name.as_str().into(),
                    option: "elements",
                    value: format!("{elements:?}"),
                    why: "the largest ring has 512 GiB".into(),
                });
            }
        };
        let (stride, largest) = (element.size, Some(element.size));
        Ok(Self {
            kind: Kind::Typed,
            capacity,
            default_capacity: 4096,
            largest,
            stride,
            element,
            orphan: None,
        })
    }

    /// Slots for elements of one type, for many participants.
    #[cfg(feature = "bytemuck")]
    pub(crate) fn typed_slots(options: &Settings, elements: Option<usize>, element: Element) -> Result<Self> {
        Self::check_element(options, &element)?;
        Self::of_slots(options, Kind::TypedMpmc, elements, Some(element.size), element)
    }

    pub(crate) fn identity(&self, at: &Location, facts: &Facts) -> Result<Identity> {
        let capacity = self.capacity.unwrap_or(self.default_capacity);
        let possible = match self.kind {
            Kind::Bytes => record::largest(capacity).min(u64::from(u32::MAX) - record::HEADER),
            Kind::Mpmc => self.largest.unwrap_or(DEFAULT_SLOT_MESSAGE),
            Kind::Typed | Kind::TypedMpmc => self.element.size,
        };
        if let Some(largest) = self.largest.filter(|&largest| largest > possible) {
            return Err(Error::OptionInvalid {
                ring: at.ring.clone(),
                option: "largest message",
                value: largest.to_string(),
                why: format!("a capacity of {capacity} takes messages of up to {possible} bytes"),
            });
        }
        Ok(Identity {
            kind: self.kind,
            capacity,
            stride: self.stride,
            largest: self.largest.unwrap_or(possible),
            element: self.element.clone(),
            orphan: self.orphan.unwrap_or(Orphan::Return),
            created_ns: now_ns(),
            creator_uid: nix::unistd::geteuid().as_raw(),
            creator_pid: facts.pid,
            creator_program: facts.program.clone(),
            creator_host: facts.host.clone(),
            id: object::random_id().map_err(|error| at.os("drawing a random id", error))?,
        })
    }

    /// An existing ring must be of this kind, and have what was explicitly asked for.
    pub(crate) fn check(&self, at: &Location, found: &Identity) -> Result<()> {
        let mismatch = |what, found: String, expected: String| {
            Err(Error::Mismatch { ring: at.ring.clone(), what, found, expected })
        };
        if found.kind != self.kind {
            return mismatch("kind", found.kind.to_string(), self.kind.to_string());
        }
        if found.element != self.element {
            let describe = |e: &Element| format!("{} ({} bytes, aligned to {})", e.name, e.size, e.align);
            return mismatch("element type", describe(&found.element), describe(&self.element));
        }
        if let Some(capacity) = self.capacity.filter(|&capacity| capacity != found.capacity) {
            return mismatch("capacity", found.capacity.to_string(), capacity.to_string());
        }
        if let Some(largest) = self.largest.filter(|&largest| largest != found.largest) {
            return mismatch("largest message", found.largest.to_string(), largest.to_string());
        }
        if let Some(orphan) = self.orphan.filter(|&orphan| orphan != found.orphan) {
            let describe = |orphan| match orphan {
                Orphan::Return => "redelivery when a consumer dies",
                Orphan::Drop => "no redelivery when a consumer dies",
            };
            return mismatch("delivery", describe(found.orphan).to_owned(), describe(orphan).to_owned());
        }
        Ok(())
    }
}
