//! From ring options on the command line to an open ring.

use std::path::Path;
use std::time::Duration;

use podring::{Consumer, Create, Error, Options, PeerLoss, Producer, Wait};

use crate::args::{PeerLossArg, RingArgs, WaitArg};
use crate::patience::Ended;
use crate::signals;

/// How long one call into the library may wait for the ring to appear.
const SLICE: Duration = Duration::from_millis(100);

/// The library's options for `name`.
pub(crate) fn options(dir: &Path, name: &str, args: &RingArgs) -> Options {
    let mut options = podring::spsc(name)
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
    if let Some(bytes) = args.capacity {
        options = options.capacity(bytes);
    }
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

/// Opens `name` and takes the producer's seat.
pub(crate) fn producer(dir: &Path, name: &str, args: &RingArgs) -> Result<Producer, Ended> {
    open(dir, name, args, |options| options.producer())
}

/// Opens `name` and takes the consumer's seat.
pub(crate) fn consumer(dir: &Path, name: &str, args: &RingArgs) -> Result<Consumer, Ended> {
    open(dir, name, args, |options| options.consumer())
}

/// Waits for a ring that the other side is to create in slices, so that Ctrl-C is heard in between.
fn open<T>(
    dir: &Path,
    name: &str,
    args: &RingArgs,
    attach: impl Fn(Options) -> podring::Result<T>,
) -> Result<T, Ended> {
    let mut left = args.open_timeout;
    loop {
        let slice = left.min(SLICE);
        match attach(options(dir, name, args).open_timeout(slice)) {
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
