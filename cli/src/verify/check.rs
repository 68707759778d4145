//! What a consumer holds the messages against: all that were sent, or its share of them.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::checker::{Before, Checker, Verdict};
use super::journal::ConsumerJournal;
use super::share::{Place, Share};
use super::tally::{self, Received};
use super::{counts_exit, counts_members, counts_text, extend, message};
use crate::handle::{Consumer, Message};
use crate::output::{Exit, Failure};

/// The books of one consumer.
#[derive(Debug)]
pub(crate) enum Check {
    /// It gets every message.
    Sole { checker: Checker, journal: Option<ConsumerJournal> },
    /// Others get some of them.
    Share { share: Share, received: Option<Received> },
}

/// What came of a message.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// It is whole, and came for the first time.
    pub(crate) new: bool,
    /// What is wrong with it.
    pub(crate) flaw: Option<String>,
}

impl Check {
    /// Of a consumer that has had nothing.
    pub(crate) fn empty() -> Self {
        Self::Sole { checker: Checker::new(Before::Unknown), journal: None }
    }

    /// Opens the books of a consumer that is seated.
    pub(crate) fn open(consumer: &Consumer, journal: Option<&Path>) -> Result<Self, Failure> {
        if let Consumer::Mpmc(_) = consumer {
            let received = journal.map(Received::open).transpose()?;
            return Ok(Self::Share { share: Share::default(), received });
        }
        let journal = journal.map(ConsumerJournal::open).transpose()?;
        let untouched = consumer.stats().messages == 0;
        let checker = match &journal {
            Some(journal) => Checker::resume(journal.runs(), journal.counts()),
            None => Checker::new(if untouched { Before::Nothing } else { Before::Unknown }),
        };
        Ok(Self::Sole { checker, journal })
    }

    /// Checks a message and notes it, which comes before its release. An error: it was not noted.
    pub(crate) fn take(&mut self, message: &Message<'_>) -> Result<Seen, Failure> {
        let tag = match message::read(message) {
            Ok(tag) => tag,
            Err(flaw) => {
                self.corrupt();
                return Ok(Seen { new: false, flaw: Some(format!("a corrupt message: {flaw}")) });
            }
        };
        let marked = message.redelivered();
        let (new, flawed) = match self {
            Self::Sole { checker, journal } => {
                let before = checker.counts();
                let new = checker.observe(tag, marked) == Verdict::New;
                let counts = checker.counts();
                if let Some(journal) = journal {
                    journal.received(tag.run, checker.next_of(tag.run), &counts)?;
                }
                (new, counts != before && counts.damaged())
            }
            Self::Share { share, received } => {
                let noted = match received {
                    Some(received) => received.note(tag, marked)?,
                    None => Some(0),
                };
                let Some(times) = noted else {
                    share.observe_corrupt();
                    let flaw = format!("message {} of run {}, which no producer has sent", tag.seq, tag.run);
                    return Ok(Seen { new: false, flaw: Some(flaw) });
                };
                let place = share.observe(tag.run, tag.seq, marked, times > 0);
                if let (Place::Late, Some(received)) = (place, received) {
                    received.flaw(tally::Flaw::Reordered);
                }
                (place != Place::Repeated && times == 0, place != Place::InOrder)
            }
        };
        Ok(Seen { new, flaw: flawed.then(|| format!("message {} of run {}", tag.seq, tag.run)) })
    }

    /// Whether it is noted how long the consumer waits.
    pub(crate) fn notes_waits(&self) -> bool {
        matches!(self, Self::Share { received: Some(_), .. })
    }

    /// No wait of this consumer has been longer.
    pub(crate) fn waited(&self, longest: Duration) {
        if let Self::Share { received: Some(received), .. } = self {
            received.waited(longest);
        }
    }

    fn corrupt(&mut self) {
        match self {
            Self::Sole { checker, journal } => {
                checker.observe_corrupt();
                if let Some(journal) = journal {
                    journal.note(&checker.counts());
                }
            }
            Self::Share { share, received } => {
                share.observe_corrupt();
                if let Some(received) = received {
                    received.flaw(tally::Flaw::Corrupt);
                }
            }
        }
    }

    /// The stream ended before what was expected had come. Returns whether that is a loss.
    pub(crate) fn ended_short(&mut self, by: u64) -> bool {
        let Self::Sole { checker, journal } = self else { return false };
        checker.ended_short(by);
        if let Some(journal) = journal {
            journal.note(&checker.counts());
        }
        true
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::Sole { checker, .. } => counts_text(&checker.counts()),
            Self::Share { share, .. } => {
                let totals = share.totals();
                format!(
                    "{} duplicated, {} reordered, {} corrupt, {} redelivered in this consumer's share",
                    totals.duplicated, totals.reordered, totals.corrupt, totals.redelivered
                )
            }
        }
    }

    pub(crate) fn runs(&self) -> usize {
        match self {
            Self::Sole { checker, .. } => checker.runs(),
            Self::Share { share, .. } => share.runs(),
        }
    }

    pub(crate) fn members(&self) -> Value {
        match self {
            Self::Sole { checker, .. } => counts_members(&checker.counts()),
            Self::Share { share, .. } => {
                let totals = share.totals();
                let members = json!({
                    "duplicated": totals.duplicated,
                    "reordered": totals.reordered,
                    "corrupt": totals.corrupt,
                    "redelivered": totals.redelivered,
                });
                extend(members, json!({ "producers": share.members() }))
            }
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Sole { checker, .. } => counts_exit(&checker.counts()),
            Self::Share { share, .. } if share.totals().damaged() => Exit::Damaged,
            Self::Share { .. } => Exit::Ok,
        }
    }
}
