//! A partner in another container: it is told what to do over a ring, and answers over another.
//!
//! ```text
//!   measuring side    ── bench.orders ──►   `--serve`, with the same --dir
//!                     ◄── bench.answers ──
//! ```

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use podring::{Consumer, Create, PeerLoss, Producer};
use serde::{Deserialize, Serialize};

use crate::board::Board;
use crate::case::Case;
use crate::drive;
use crate::floor;
use crate::transport::Spec;
use crate::{Error, Result, interrupt};

const ORDERS: &str = "bench.orders";
const ANSWERS: &str = "bench.answers";
/// Between two looks at whether the user wants to stop.
const GLANCE: Duration = Duration::from_millis(200);
/// How long to wait for the other container to come.
const COMING: Duration = Duration::from_secs(60);

/// What a partner is told to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// The page of this run.
    pub board: PathBuf,
    /// The CPU to stay on.
    pub cpu: Option<usize>,
    /// The work.
    pub work: Work,
}

/// The work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Work {
    /// The other side of the machine's floor.
    Floor(floor::Amounts),
    /// The other side of a case, over a transport with these properties.
    Case(Case, Spec, drive::Pace),
}

/// The measuring side's ends.
#[derive(Debug)]
pub struct Remote {
    orders: RefCell<Producer>,
    answers: RefCell<Consumer>,
    dir: PathBuf,
}

fn options(dir: &Path, name: &str) -> podring::Options {
    podring::spsc(name).dir(dir).capacity(64 << 10).peer_loss(PeerLoss::Report)
}

impl Remote {
    /// Waits for a partner that serves in `dir`.
    pub fn find(dir: &Path) -> Result<Self> {
        let mut orders = options(dir, ORDERS).producer()?;
        let answers = options(dir, ANSWERS).consumer()?;
        orders.wait_for_peer(COMING).map_err(|error| match error {
            podring::Error::Timeout { .. } => Error::Partner(format!(
                "nobody serves in {} after {COMING:?}: run the same program with --serve in the other container, \
                 with the same directory mounted",
                dir.display()
            )),
            other => other.into(),
        })?;
        Ok(Self { orders: RefCell::new(orders), answers: RefCell::new(answers), dir: dir.to_owned() })
    }

    /// Sends an order.
    pub fn order(&self, order: &Order) -> Result<()> {
        let text = serde_json::to_vec(order).map_err(|e| Error::Partner(e.to_string()))?;
        Ok(self.orders.borrow_mut().send(&text)?)
    }

    /// The answer to the last order, if it has come.
    pub fn answer(&self) -> Result<Option<Result<()>>> {
        match self.answers.borrow_mut().try_recv()? {
            None => Ok(None),
            Some(text) if text.is_empty() => Ok(Some(Ok(()))),
            Some(text) => Ok(Some(Err(Error::Partner(String::from_utf8_lossy(&text).into_owned())))),
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // The other side ends at the end of its orders; it has nothing more to say.
        let _ = self.orders.borrow_mut().close();
        for name in [ORDERS, ANSWERS] {
            let _ = std::fs::remove_file(self.dir.join(name));
        }
    }
}

/// Does what it is told in `dir`, until there are no more orders. How many there were.
pub fn serve(dir: &Path) -> Result<u64> {
    let open = |name| options(dir, name).create(Create::IfMissing);
    let mut orders = open(ORDERS).consumer()?;
    let mut answers = open(ANSWERS).producer()?;
    orders.wait_for_peer(COMING)?;
    let mut count = 0;
    loop {
        let order: Order = match orders.recv_timeout(GLANCE) {
            Err(podring::Error::Timeout { .. }) if interrupt::asked() => return Ok(count),
            Err(podring::Error::Timeout { .. }) => continue,
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|e| Error::Partner(format!("gave an order that this build does not know: {e}")))?,
            Err(podring::Error::Closed { .. }) => return Ok(count),
            Err(error) => return Err(error.into()),
        };
        let answer = match perform(&order) {
            Ok(()) => String::new(),
            Err(error) => {
                eprintln!("podring-bench: {error}");
                error.to_string()
            }
        };
        answers.send(answer.as_bytes())?;
        count += 1;
    }
}

fn perform(order: &Order) -> Result<()> {
    let board = Board::join(&order.board)?;
    let done = match &order.work {
        Work::Floor(amounts) => floor::answer(&board, order.cpu, *amounts),
        Work::Case(case, spec, pace) => drive::join(case, spec, pace, &board, order.cpu),
    };
    if done.is_err() {
        board.fail();
    }
    done
}
