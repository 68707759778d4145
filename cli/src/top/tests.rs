//! The pictures, cell by cell, of rings that never were.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use podring::Role;
use podring::inspect::State as RingState;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::columns::Column;
use super::state::{State, View};
use crate::watch::fixture::{epoch, report, seat};
use crate::watch::look::{Key, Look};

/// Three looks at three rings, a second apart.
fn watched() -> State {
    let mut state = State::new(Duration::from_secs(1), false);
    let start = Instant::now();
    for second in 0..3 {
        let mut looks = BTreeMap::new();
        let mut add = |name: &str, sent: u64, received: u64, consumers: u8| {
            let mut report = report(name);
            report.seats.push(seat(0, Role::Producer, sent));
            for index in 1..=consumers {
                let mut seat = seat(index, Role::Consumer, received);
                seat.stats.redeliveries = 2;
                seat.stats.parks = 5 * second;
                report.seats.push(seat);
            }
            (report.written, report.read) = (sent * 16, received * 16 * u64::from(consumers));
            report.used = report.written - report.read;
            if consumers == 0 {
                report.seats[0].live = false;
                report.state = RingState::Stale;
            }
            looks.insert(key(name), Look { at: start + Duration::from_secs(second), report });
        };
        add("orders", 20_000 * second, 20_000 * second, 1);
        add("audit", 60_000, 0, 0);
        add("events", 100 + 1200 * second, 300 * second, 2);
        state.take_in(looks, epoch() + Duration::from_secs(second));
    }
    state
}

fn key(name: &str) -> Key {
    ("/dev/shm".into(), name.to_owned())
}

fn picture(state: &mut State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| state.draw(frame)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let rows: Vec<String> = (0..height)
        .map(|y| {
            let row: String = (0..width).map(|x| buffer[(x, y)].symbol().to_owned()).collect();
            row.trim_end().to_owned()
        })
        .collect();
    rows.join("\n")
}

fn press(state: &mut State, code: KeyCode) -> bool {
    state.press(KeyEvent::new(code, KeyModifiers::NONE))
}

fn names(state: &State) -> Vec<String> {
    state.rows().into_iter().map(|((_, name), _)| name.clone()).collect()
}

#[test]
fn the_table_as_it_stands() {
    let picture = picture(&mut watched(), 140, 6);
    let expected = "\
podring top  2026-11-23 11:39:07 UTC  3 rings, 2 live  21.2k messages/s, 207.0KB/s  every 1 s
RING▼        STATE     SENT/s  RECV/s  BYTES/s FILL             PARKS/s  STALLS/s REDELIV  OLDEST ACTIVE PRODUCERS         CONSUMERS
audit        stale          0       0        0 █████████░  92%        0         0       0     >2s     2s -                 -
events       live        1200     600     5.9K █░░░░░░░░░   2%       10         0       4      1s     0s web-app@web-0     +1 db-app@db-1
orders       live       20.0k   20.0k   195.3K ░░░░░░░░░░   0%        5         0       2       -     0s web-app@web-0     db-app@db-1
↑↓ select  Enter one ring  ←→ sort  r reverse  / filter  p pause  ? help  q quit";
    assert_eq!(picture, expected, "\n{picture}");
}

#[test]
fn a_narrow_terminal_shows_what_matters_most() {
    let text = picture(&mut watched(), 80, 6);
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    for heading in ["RING", "SENT/s", "RECV/s", "FILL", "PRODUCERS", "CONSUMERS"] {
        assert!(text.contains(heading), "{heading}\n{text}");
    }
    assert!(!text.contains("REDELIV"), "{text}");
    // However small, nothing breaks.
    for (width, height) in [(1, 1), (10, 2), (20, 3), (39, 10), (300, 100)] {
        for view in [View::Table, View::Ring(key("orders")), View::Ring(key("none")), View::Help] {
            let mut state = watched();
            state.view = view;
            picture(&mut state, width, height);
        }
    }
    assert_eq!(Column::fitting(0, true), [Column::Ring, Column::Sent, Column::Fill, Column::Consumers]);
}

#[test]
fn enter_shows_one_ring_with_its_history() {
    let mut state = watched();
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Enter);
    let picture = picture(&mut state, 110, 23);
    let expected = "\
┌ events in /dev/shm ────────────────────────────────────────────────────────────────────────────────────────┐
│bytes, live, stream open, holds 1M, largest message 512.0K, file 1.0M, mode 0600, uid 0                     │
│made by maker@web-1 2s ago, active 0s ago; 20.3K used (2%), oldest message 1s                               │
│in all 2500 sent, 1200 received, 4 redelivered, 0 abandoned                                                 │
│20 parks, 0 stalls, 0 wakes, 0 slice rescues                                                                │
│                                                                                                            │
│sent/s 1200, at most 1200 in the last 2 s                                                                   │
│                                                                                                          ██│
│                                                                                                          ██│
│                                                                                                            │
│received/s 600, at most 600 in the last 2 s                                                                 │
│                                                                                                          ██│
│                                                                                                          ██│
│                                                                                                            │
│fill 2%, at most 2% in the last 2 s                                                                         │
│                                                                                                            │
│                                                                                                            │
│                                                                                                            │
│SEAT ROLE     STATE PROGRAM@CONTAINER PID SINCE MSG/s BYTES/s PARKS/s STALLS/s REDELIV HOLDERS              │
│0    producer live  web-app@web-0     1   2s    1200  11.7K   0       0        0       1                    │
│1    consumer live  db-app@db-1       1   2s    300   2.9K    5       0        2       1                    │
│2    consumer live  db-app@db-2       1   2s    300   2.9K    5       0        2       1                    │
└ ↑↓ other rings  p pause  +- interval  Esc back  q quit ────────────────────────────────────────────────────┘";
    assert_eq!(picture, expected, "\n{picture}");
    press(&mut state, KeyCode::Down);
    assert_eq!(state.view, View::Ring(key("orders")));
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.view, View::Table);
}

#[test]
fn keys_sort_filter_pause_and_leave() {
    let mut state = watched();
    assert_eq!(names(&state), ["audit", "events", "orders"]);
    press(&mut state, KeyCode::Char('r'));
    assert_eq!(names(&state), ["orders", "events", "audit"]);
    press(&mut state, KeyCode::Char('r'));
    for _ in 0..2 {
        press(&mut state, KeyCode::Right);
    }
    assert_eq!(
        (state.sort, names(&state)),
        (Column::Sent, vec!["orders".into(), "events".into(), "audit".into()])
    );
    // The selected ring stays selected, wherever its row goes.
    press(&mut state, KeyCode::End);
    press(&mut state, KeyCode::Left);
    press(&mut state, KeyCode::Left);
    press(&mut state, KeyCode::Enter);
    assert_eq!(state.view, View::Ring(key("audit")));
    press(&mut state, KeyCode::Enter);
    // A letter of the filter is no command; it finds programs and containers, too.
    press(&mut state, KeyCode::Char('/'));
    for letter in "DB-2q".chars() {
        assert!(!press(&mut state, KeyCode::Char(letter)));
    }
    assert!(names(&state).is_empty());
    assert!(picture(&mut state, 100, 6).contains("no ring matches the filter"));
    press(&mut state, KeyCode::Backspace);
    press(&mut state, KeyCode::Enter);
    assert_eq!(names(&state), ["events"]);
    press(&mut state, KeyCode::Esc);
    assert_eq!(names(&state).len(), 3);
    press(&mut state, KeyCode::Char('p'));
    state.take_in(BTreeMap::new(), epoch());
    assert_eq!(names(&state).len(), 3, "held");
    press(&mut state, KeyCode::Char('p'));
    state.take_in(BTreeMap::new(), epoch());
    assert!(picture(&mut state, 100, 6).contains("no rings here yet"));
    press(&mut state, KeyCode::Char('+'));
    assert_eq!(state.interval(), Duration::from_secs(2));
    assert!(press(&mut state, KeyCode::Char('q')));
    assert!(state.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
}

#[test]
fn names_from_other_containers_cannot_command_the_terminal() {
    let mut state = State::new(Duration::from_secs(1), true);
    let mut report = report("r");
    report.seats.push(seat(0, Role::Producer, 1));
    report.seats[0].program = "evil\x1b[2J".to_owned();
    report.creator = "\x07maker".to_owned();
    let looks = BTreeMap::from([(("/di\x1br".into(), "r".to_owned()), Look { at: Instant::now(), report })]);
    state.take_in(looks, epoch());
    for _ in 0..2 {
        let text = picture(&mut state, 200, 24);
        assert!(!text.chars().any(|it| it.is_control() && it != '\n'), "{text:?}");
        assert!(text.contains("evil?[2J"), "{text}");
        press(&mut state, KeyCode::Enter);
    }
}
