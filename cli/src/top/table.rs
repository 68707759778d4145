//! The table of rings.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table};

use super::columns::Column;
use super::state::State;
use crate::watch::history::History;
use crate::{human, ls};

/// Cells of a full fill bar.
const BAR: usize = 10;

pub(crate) fn draw(frame: &mut Frame, state: &mut State) {
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(summary(state), top);
    let columns = Column::fitting(middle.width, state.with_dir);
    let rows = state.rows();
    let selected = state.row(&rows);
    if rows.is_empty() {
        frame.render_widget(nothing(state), middle);
    }
    let lines: Vec<Row> = rows
        .iter()
        .map(|(key, ring)| {
            let cells = columns.iter().map(|column| match column {
                Column::Fill => Cell::from(fill(ring)),
                _ => cell(*column, column.text(key, ring, state.now)),
            });
            let style = if ring.look.report.state == podring::inspect::State::Live {
                Style::new()
            } else {
                Style::new().fg(Color::DarkGray)
            };
            Row::new(cells.collect::<Vec<_>>()).style(style)
        })
        .collect();
    let count = lines.len();
    let headings = columns.iter().map(|column| {
        let marked = match (*column == state.sort, state.reversed) {
            (false, _) => column.heading().to_owned(),
            (true, false) => format!("{}▼", column.heading()),
            (true, true) => format!("{}▲", column.heading()),
        };
        cell(*column, marked)
    });
    let header = Row::new(headings.collect::<Vec<_>>()).style(Style::new().add_modifier(Modifier::BOLD));
    let widths = columns.iter().map(|column| {
        if column.is_of_names() {
            Constraint::Min(column.width())
        } else {
            Constraint::Length(column.width())
        }
    });
    let table = Table::new(lines, widths.collect::<Vec<_>>())
        .header(header)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    state.scroll.select(selected);
    if count > 0 || selected.is_none() {
        let area = if count == 0 { Rect { height: middle.height.min(1), ..middle } } else { middle };
        frame.render_stateful_widget(table, area, &mut state.scroll);
    }
    frame.render_widget(keys(state), bottom);
}

/// Figures are aligned to the right.
fn cell<'a>(column: Column, text: String) -> Cell<'a> {
    let alignment =
        if column.is_of_names() || column == Column::Fill { Alignment::Left } else { Alignment::Right };
    Cell::from(Line::from(text).alignment(alignment))
}

fn summary(state: &State) -> Line<'static> {
    let live =
        state.rings.values().filter(|it| it.look.report.state == podring::inspect::State::Live).count();
    let (mut sent, mut bytes) = (0.0, 0.0);
    for ring in state.rings.values() {
        let flow = ring.flow();
        sent += flow.per_second(flow.counts.sent);
        bytes += flow.per_second(flow.counts.sent_bytes);
    }
    let paused = if state.paused { "  PAUSED" } else { "" };
    Line::from(vec![
        "podring top".bold(),
        Span::from(format!(
            "  {}  {} rings, {live} live  {} messages/s, {}B/s  every {}{paused}",
            human::utc(state.now),
            state.rings.len(),
            human::count(sent),
            human::bytes(bytes as u64),
            interval(state),
        )),
    ])
}

fn interval(state: &State) -> String {
    format!("{} s", state.interval.as_secs_f64())
}

fn nothing(state: &State) -> Paragraph<'static> {
    let text = if state.rings.is_empty() {
        "\nno rings here yet; `podring ls --all` looks in every directory that may hold some"
    } else {
        "\nno ring matches the filter; Esc clears it"
    };
    Paragraph::new(text)
}

fn keys(state: &State) -> Line<'static> {
    if state.filtering {
        return Line::from(format!(
            "filter: {}_   Enter keeps it, Esc clears it",
            human::harmless(&state.filter)
        ));
    }
    let filter = if state.filter.is_empty() {
        String::new()
    } else {
        format!("  filter: {}", human::harmless(&state.filter))
    };
    Line::from(format!(
        "↑↓ select  Enter one ring  ←→ sort  r reverse  / filter  p pause  ? help  q quit{filter}"
    ))
    .fg(Color::DarkGray)
}

/// `███░░░░░░░  31%`
fn fill(ring: &History) -> Line<'static> {
    let percent = ls::fill_percent(&ring.look.report).clamp(0.0, 100.0);
    // Anything at all shows, and only what is full looks full.
    let full = ((percent / 100.0 * BAR as f64) as usize).max(usize::from(percent > 0.0)).min(BAR);
    let color = match percent {
        90.0.. => Color::Red,
        60.0.. => Color::Yellow,
        _ => Color::Green,
    };
    Line::from(vec![
        Span::from("█".repeat(full)).fg(color),
        Span::from("░".repeat(BAR - full)),
        Span::from(format!(" {percent:>3.0}%")),
    ])
}

pub(crate) fn draw_help(frame: &mut Frame) {
    let text = "\
↑ ↓ j k  PgUp PgDn Home End   select a ring
Enter                         look at one ring, and back
← → < >                       sort by another column; r reverses
/                             show only rings with this in their name, directory,
                              programs or containers; Esc clears it
p or blank                    hold the picture
+ -                           look less or more often
q, Ctrl-C                     leave

SENT/s RECV/s   messages published and released       BYTES/s    their bytes (received)
PARKS/s         sleeps of participants                STALLS/s   times it was full or empty
REDELIV         delivered again after a death         OLDEST     age of the oldest message, as
ACTIVE          since anything happened                          seen by this watcher; > at least

Any other key goes back.";
    frame.render_widget(
        Paragraph::new(text).block(Block::bordered().title(" podring top: help ")),
        frame.area(),
    );
}
