//! What top knows and what keys do to it. No terminal here: tests press keys and look at the picture.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::widgets::TableState;

use super::columns::Column;
use super::{ring, table};
use crate::watch::history::History;
use crate::watch::look::{Key, Look};

/// Intervals that + and - go through, in milliseconds.
const INTERVALS: [u64; 6] = [100, 250, 500, 1000, 2000, 5000];

/// What is on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum View {
    Table,
    Ring(Key),
    Help,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) rings: BTreeMap<Key, History>,
    pub(crate) view: View,
    pub(crate) sort: Column,
    pub(crate) reversed: bool,
    pub(crate) filter: String,
    /// Whether keys are letters of the filter.
    pub(crate) filtering: bool,
    pub(crate) paused: bool,
    pub(crate) interval: Duration,
    pub(crate) with_dir: bool,
    /// When the rings were last looked at.
    pub(crate) now: SystemTime,
    /// Which ring is selected: its row may be another one after the next look.
    selected: Option<Key>,
    /// How far the table is scrolled.
    pub(crate) scroll: TableState,
}

impl State {
    pub(crate) fn new(interval: Duration, with_dir: bool) -> Self {
        Self {
            rings: BTreeMap::new(),
            view: View::Table,
            sort: Column::Ring,
            reversed: false,
            filter: String::new(),
            filtering: false,
            paused: false,
            interval,
            with_dir,
            now: SystemTime::UNIX_EPOCH,
            selected: None,
            scroll: TableState::default(),
        }
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// Takes in what was seen. Rings that are gone are forgotten.
    pub(crate) fn take_in(&mut self, looks: BTreeMap<Key, Look>, now: SystemTime) {
        if self.paused {
            return;
        }
        self.now = now;
        self.rings.retain(|key, _| looks.contains_key(key));
        for (key, look) in looks {
            match self.rings.get_mut(&key) {
                Some(ring) => ring.add(look, now),
                None => drop(self.rings.insert(key, History::new(look))),
            }
        }
    }

    /// The rings that the filter lets through, in the order of the table.
    pub(crate) fn rows(&self) -> Vec<(&Key, &History)> {
        let wanted = self.filter.to_lowercase();
        let mut rows: Vec<(&Key, &History)> = self
            .rings
            .iter()
            .filter(|(key, ring)| wanted.is_empty() || matches(key, ring, &wanted))
            .collect();
        // Stable: what compares equal stays in the order of names.
        rows.sort_by(|a, b| {
            let order = self.sort.compare(*a, *b);
            if self.reversed { order.reverse() } else { order }
        });
        rows
    }

    /// The selected row; the first if the selected ring is not shown.
    pub(crate) fn row(&self, rows: &[(&Key, &History)]) -> Option<usize> {
        let selected = self.selected.as_ref().and_then(|key| rows.iter().position(|(it, _)| *it == key));
        selected.or((!rows.is_empty()).then_some(0))
    }

    pub(crate) fn draw(&mut self, frame: &mut Frame) {
        match &self.view {
            View::Ring(key) => match self.rings.get(key) {
                Some(ring) => ring::draw(frame, key, ring, self),
                None => ring::draw_gone(frame, key),
            },
            View::Help => table::draw_help(frame),
            View::Table => table::draw(frame, self),
        }
    }

    /// True: the user wants to leave.
    pub(crate) fn press(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return true;
        }
        if self.filtering {
            match key.code {
                KeyCode::Enter => self.filtering = false,
                KeyCode::Esc => (self.filtering, self.filter) = (false, String::new()),
                KeyCode::Backspace => drop(self.filter.pop()),
                KeyCode::Char(letter) if !control && self.filter.len() < 64 => self.filter.push(letter),
                _ => {}
            }
            return false;
        }
        match (&self.view, key.code) {
            (_, KeyCode::Char('q')) => return true,
            (View::Table, KeyCode::Esc) => self.filter.clear(),
            (_, KeyCode::Esc | KeyCode::Backspace) => self.view = View::Table,
            (View::Help, _) => self.view = View::Table,
            (_, KeyCode::Char('?' | 'h')) => self.view = View::Help,
            (_, KeyCode::Char('p' | ' ')) => self.paused = !self.paused,
            (_, KeyCode::Char('+')) => self.change_interval(1),
            (_, KeyCode::Char('-')) => self.change_interval(-1),
            (View::Table, KeyCode::Enter) => {
                let rows = self.rows();
                if let Some(row) = self.row(&rows) {
                    self.view = View::Ring(rows[row].0.clone());
                }
            }
            (View::Ring(_), KeyCode::Enter) => self.view = View::Table,
            (_, KeyCode::Up | KeyCode::Char('k')) => self.select(-1),
            (_, KeyCode::Down | KeyCode::Char('j')) => self.select(1),
            (_, KeyCode::PageUp) => self.select(-10),
            (_, KeyCode::PageDown) => self.select(10),
            (_, KeyCode::Home | KeyCode::Char('g')) => self.select(isize::MIN),
            (_, KeyCode::End | KeyCode::Char('G')) => self.select(isize::MAX),
            (View::Table, KeyCode::Left | KeyCode::Char('<')) => self.sort_by(-1),
            (View::Table, KeyCode::Right | KeyCode::Char('>')) => self.sort_by(1),
            (View::Table, KeyCode::Char('r')) => self.reversed = !self.reversed,
            (View::Table, KeyCode::Char('/')) => self.filtering = true,
            _ => {}
        }
        false
    }

    /// Moves the selection; in the view of a ring, on to the next one.
    fn select(&mut self, by: isize) {
        let rows = self.rows();
        let Some(row) = self.row(&rows) else { return };
        let key = rows[row.saturating_add_signed(by).min(rows.len() - 1)].0.clone();
        if let View::Ring(shown) = &mut self.view {
            shown.clone_from(&key);
        }
        self.selected = Some(key);
    }

    fn sort_by(&mut self, step: isize) {
        let columns: Vec<Column> =
            Column::ALL.into_iter().filter(|it| self.with_dir || *it != Column::Dir).collect();
        let at = columns.iter().position(|it| *it == self.sort).unwrap_or(0);
        self.sort = columns[at.saturating_add_signed(step).min(columns.len() - 1)];
    }

    fn change_interval(&mut self, step: isize) {
        let now = self.interval.as_millis() as u64;
        let next = if step > 0 {
            INTERVALS.into_iter().find(|it| *it > now)
        } else {
            INTERVALS.into_iter().rev().find(|it| *it < now)
        };
        if let Some(next) = next {
            self.interval = Duration::from_millis(next);
        }
    }
}

/// Whether a ring's name or directory, or a participant's program or container, has this in it.
fn matches((dir, name): &Key, ring: &History, wanted: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(wanted);
    has(name)
        || has(&dir.display().to_string())
        || ring.look.report.seats.iter().any(|seat| seat.live && (has(&seat.program) || has(&seat.host)))
}
