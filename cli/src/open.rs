//! From ring options on the command line to an open ring.

use std::path::Path;
use std::time::Duration;

use podring::inspect::Kind;
use podring::{ConsumerDeath, Create, Error, Mpmc, Options, PeerLoss, Result, Wait};

use crate::args::{AnyRingArgs, ConsumerDeathArg, PeerLossArg, RingArgs, WaitArg};
use crate::handle::{Consumer, Producer};
use crate::patience::Ended;
use crate::signals;

/// How long one call into the library may wait for the ring to appear.
const SLICE: Duration = Duration::from_millis(100);

/// The library's options for `name`, a ring with one producer and one consumer.
pub(crate) fn options(dir: &Path, name: &str, args: &RingArgs) -> Options {
    let options = common(podring::spsc(name), dir, args);
    match args.capacity {
        Some(bytes) => options.capacity(bytes),
        None => options,
    }
}

/// The library's options for `name`, a ring with many of both.
pub(crate) fn mpmc_options(dir: &Path, name: &str, args: &AnyRingArgs) -> Options<Mpmc> {
    let mut options = common(podring::mpmc(name), dir, &args.ring);
    if let Some(slots) = args.slots {
        options = options.slots(slots);
    }
    if let Some(then) = args.on_consumer_death {
        options = options.on_consumer_death(match then {
            ConsumerDeathArg::Redeliver => ConsumerDeath::Redeliver,
            ConsumerDeathArg::Drop => ConsumerDeath::Drop,
        });
    }
    options
}

fn common<K>(options: Options<K>, dir: &Path, args: &RingArgs) -> Options<K> {
    let mut options = options
        .dir(dir)
        .wait(match args.wait {
            WaitArg::Spin => Wait::Spin,
            WaitArg::Adaptive => Wait::Adaptive,
            WaitArg::Park => Wait::Park,
        })
        .peer_loss(match args.peer_loss {
            PeerLossArg::Wait => PeerLoss::Wait,
            PeerLossArg::Report => PeerLoss::Report,
        })
        .create(if args.no_create { Create::Never } else { Create::IfMissing });
    if let Some(bytes) = args.largest {
        options = options.largest_message(bytes);
    }
    if let Some(mode) = args.mode {
        options = options.mode(mode);
    }
    if let Some(uid) = args.owner {
        options = options.owner(uid);
    }
    options
}

/// Opens `name`, of whatever kind it is, and takes a producer's seat.
pub(crate) fn producer(dir: &Path, name: &str, args: &AnyRingArgs) -> std::result::Result<Producer, Ended> {
    either(
        dir,
        name,
        args,
        |options| options.producer().map(Producer::Spsc),
        |options| options.producer().map(Producer::Mpmc),
    )
}

/// Opens `name`, of whatever kind it is, and takes a consumer's seat.
pub(crate) fn consumer(dir: &Path, name: &str, args: &AnyRingArgs) -> std::result::Result<Consumer, Ended> {
    either(
        dir,
        name,
        args,
        |options| options.consumer().map(Consumer::Spsc),
        |options| options.consumer().map(Consumer::Mpmc),
    )
}

/// Opens `name`, a ring with one producer and one consumer, and takes the producer's seat.
pub(crate) fn spsc_producer(
    dir: &Path,
    name: &str,
    args: &RingArgs,
) -> std::result::Result<podring::Producer, Ended> {
    wait_for_ring(args, |slice| options(dir, name, args).open_timeout(slice).producer())
}

/// Opens `name`, a ring with one producer and one consumer, and takes the consumer's seat.
pub(crate) fn spsc_consumer(
    dir: &Path,
    name: &str,
    args: &RingArgs,
) -> std::result::Result<podring::Consumer, Ended> {
    wait_for_ring(args, |slice| options(dir, name, args).open_timeout(slice).consumer())
}

fn either<T>(
    dir: &Path,
    name: &str,
    args: &AnyRingArgs,
    spsc: impl Fn(Options) -> Result<T>,
    mpmc: impl Fn(Options<Mpmc>) -> Result<T>,
) -> std::result::Result<T, Ended> {
    wait_for_ring(&args.ring, |slice| {
        if args.mpmc {
            return mpmc(mpmc_options(dir, name, args).open_timeout(slice));
        }
        match spsc(options(dir, name, &args.ring).open_timeout(slice)) {
            Err(Error::Mismatch { what: "kind", found, .. }) if found == Kind::Mpmc.to_string() => {
                check_capacity(name, &args.ring)?;
                // Should it go away meanwhile, it is for the next round to make one, of the other kind.
                mpmc(mpmc_options(dir, name, args).create(Create::Never).open_timeout(Duration::ZERO))
            }
            outcome => outcome,
        }
    })
}

fn check_capacity(name: &str, args: &RingArgs) -> Result<()> {
    match args.capacity {
        None => Ok(()),
        Some(bytes) => Err(Error::OptionInvalid {
            ring: name.into(),
            option: "--capacity",
            value: bytes.to_string(),
            why: "the ring has many producers and consumers and is measured in slots: --mpmc --slots N"
                .into(),
        }),
    }
}

/// Waits for a ring that the other side is to create in slices, so that Ctrl-C is heard in between.
fn wait_for_ring<T>(
    args: &RingArgs,
    attach: impl Fn(Duration) -> Result<T>,
) -> std::result::Result<T, Ended> {
    let mut left = args.open_timeout;
    loop {
        let slice = left.min(SLICE);
        match attach(slice) {
            Ok(handle) => return Ok(handle),
            Err(Error::NotFound { ring, dir, seen, .. }) => {
                if signals::stopped() {
                    return Err(Ended::Stopped);
                }
                left -= slice;
                if left.is_zero() {
                    let waited = args.open_timeout;
                    return Err(Ended::Failed(Error::NotFound { ring, dir, seen, waited }));
                }
            }
            Err(error) => return Err(Ended::Failed(error)),
        }
    }
}
