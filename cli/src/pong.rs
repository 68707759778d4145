//! `podring pong`: echoes every message of `podring ping` until it ends.

use std::path::Path;

use podring::{Consumer, Error, Producer};

use crate::args::PongArgs;
use crate::cpu;
use crate::open;
use crate::output::{Exit, Failure, Output};
use crate::patience::{Ended, Patience};
use crate::round_trip::{back, there};
use crate::signals;
use crate::transfer::Transfer;

pub(crate) fn run(dir: &Path, args: &PongArgs, output: &Output) -> Result<Exit, Failure> {
    signals::watch()?;
    cpu::pin(args.cpu)?;
    let mut transfer = Transfer::new();
    let outcome = echo(dir, args, &mut transfer);
    let summary = transfer.summary("pong", &args.name, matches!(outcome, Err(Ended::Failed(_))));
    match outcome {
        Ok(()) | Err(Ended::Stopped) => {
            output.finish(summary)?;
            Ok(Exit::Ok)
        }
        Err(Ended::Failed(error)) => Err(Failure::from(error).with_summary(summary)),
    }
}

fn echo(dir: &Path, args: &PongArgs, transfer: &mut Transfer) -> Result<(), Ended> {
    let mut from = open::spsc_consumer(dir, &there(&args.name), &args.ring)?;
    let mut to = open::spsc_producer(dir, &back(&args.name), &args.ring)?;
    loop {
        if signals::stopped() {
            return Err(Ended::Stopped);
        }
        match Patience::default().wait(|slice| one(&mut from, &mut to, slice)) {
            Ok(echoed) => {
                transfer.begin();
                transfer.add(1, echoed?);
            }
            Err(Ended::Failed(Error::Closed { .. })) => return to.close().map_err(Ended::Failed),
            Err(ended) => return Err(ended),
        }
    }
}

/// Echoes a message straight from one ring to the other. It is released once the echo is sent.
fn one(
    from: &mut Consumer,
    to: &mut Producer,
    slice: std::time::Duration,
) -> podring::Result<Result<u64, Ended>> {
    let message = from.recv_timeout(slice)?;
    let sent = Patience::default().wait(|slice| to.send_timeout(&message, slice));
    Ok(match sent {
        Ok(()) => Ok(message.len() as u64),
        Err(ended) => {
            std::mem::forget(message); // not acknowledged: the next pong gets it again
            Err(ended)
        }
    })
}
