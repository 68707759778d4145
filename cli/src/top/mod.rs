//! `podring top`: every ring, live. What is shown is in `state`, how in `table` and `ring`.

mod columns;
mod ring;
mod state;
mod table;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::args::TopArgs;
use crate::output::{Exit, Failure, Output};
use crate::watch::look::Watched;
use crate::{places, signals};
use state::State;

/// The longest that a key or a signal waits for being seen.
const SLICE: Duration = Duration::from_millis(100);

pub(crate) fn run(dirs: &[PathBuf], args: &TopArgs, output: &Output) -> Result<Exit, Failure> {
    if output.is_json() {
        return Err(Failure::usage("top is for people; `podring stat --json` is for programs"));
    }
    if !io::stdout().is_terminal() {
        return Err(Failure::usage(
            "top needs a terminal, and standard output is none: use `podring stat`, which prints lines, or give the \
             container a terminal (docker run -t, docker exec -it, kubectl exec -it)",
        ));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(Failure::usage(
            "top needs a terminal that can move its cursor, and TERM is 'dumb': use \
             `podring stat`, or set TERM=xterm if it can",
        ));
    }
    let watched = Watched::new(places::resolve(dirs, args.places.all)?, &args.names);
    watched.check()?;
    // A terminal that goes away ends it in good order, too.
    signals::watch_also(&[Signal::SIGHUP])?;
    // Whoever has lost patience shall not be left with a terminal that echoes nothing.
    signals::before_exit(give_back);
    // From here on a panic gives the terminal back as well.
    let mut terminal = ratatui::try_init().map_err(|error| Failure::io("preparing the terminal", &error))?;
    let ended = watch(&mut terminal, &watched, args.interval);
    give_back();
    if matches!(ended, Ok(Terminal::Gone)) || wait_for_keys(Duration::ZERO) == Terminal::Gone {
        // Dropping it would complain that there is no terminal, on a standard error that has gone with it.
        std::mem::forget(terminal);
    }
    ended.map(|_| Exit::Ok)
}

fn watch(terminal: &mut DefaultTerminal, watched: &Watched, interval: Duration) -> Result<Terminal, Failure> {
    let mut state = State::new(interval, watched.has_many_places());
    let mut next = Instant::now();
    while !signals::stopped() {
        if Instant::now() >= next {
            let looks = watched.look()?;
            state.take_in(looks, SystemTime::now());
            next = Instant::now() + state.interval();
        }
        if let Err(error) = terminal.draw(|frame| state.draw(frame)) {
            return match wait_for_keys(Duration::ZERO) {
                Terminal::Gone => Ok(Terminal::Gone),
                Terminal::There => Err(Failure::io("drawing", &error)),
            };
        }
        let failed = |error| Failure::io("reading keys", &error);
        let left = next.saturating_duration_since(Instant::now());
        if wait_for_keys(left.min(SLICE)) == Terminal::Gone {
            return Ok(Terminal::Gone);
        }
        if !event::poll(Duration::ZERO).map_err(failed)? {
            continue;
        }
        if let Event::Key(key) = event::read().map_err(failed)?
            && key.kind != KeyEventKind::Release
        {
            if state.press(key) {
                return Ok(Terminal::There);
            }
            // Another interval counts from now on.
            next = next.min(Instant::now() + state.interval());
        }
    }
    Ok(Terminal::There)
}

/// Makes the terminal what it was. One that has gone cannot be, and there is nobody to be told.
fn give_back() {
    let _ = ratatui::try_restore();
}

#[derive(PartialEq, Eq)]
enum Terminal {
    There,
    /// Its other end has been closed.
    Gone,
}

/// Waits until there may be keys. The library for terminals is asked only afterwards: waiting itself at a terminal that
/// goes, it would read its end again and again, and never return.
fn wait_for_keys(longest: Duration) -> Terminal {
    let stdin = io::stdin();
    let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::ZERO);
    let mut look = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    // Interrupted by a signal: the caller looks.
    let _ = poll(&mut look, timeout);
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    if look[0].revents().is_some_and(|seen| seen.intersects(gone)) { Terminal::Gone } else { Terminal::There }
}
