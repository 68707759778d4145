//! One ring: what it is, the last minutes, and who takes part.

use podring::Stats;
use podring::inspect::Seat;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, RenderDirection, Row, Sparkline, Table};

use super::columns;
use super::state::State;
use crate::watch::flow::Counts;
use crate::watch::history::History;
use crate::watch::look::Key;
use crate::{human, ls};

pub(crate) fn draw(frame: &mut Frame, (dir, name): &Key, ring: &History, state: &State) {
    let title = format!(" {} in {} ", human::harmless(name), human::harmless(&dir.display().to_string()));
    let paused = if state.paused { " PAUSED " } else { "" };
    let block = Block::bordered()
        .title(title.bold())
        .title_top(Line::from(paused).right_aligned())
        .title_bottom(Line::from(" ↑↓ other rings  p pause  +- interval  Esc back  q quit "));
    let area = block.inner(frame.area());
    frame.render_widget(block, frame.area());
    let facts = facts(ring, state);
    let [top, sent, received, fill, seats] = Layout::vertical([
        Constraint::Length(facts.len() as u16),
        Constraint::Length(3),
        Constraint::Length(3),
        Constraint::Length(3),
        Constraint::Min(0),
    ])
    .spacing(1)
    .areas(area);
    frame.render_widget(Paragraph::new(facts), top);
    let rates = |of: fn(&Counts) -> u64| -> Vec<f64> {
        ring.flows.iter().map(|flow| flow.per_second(of(&flow.counts))).collect()
    };
    let seconds: Vec<f64> = ring.flows.iter().map(|flow| flow.seconds).collect();
    series(frame, sent, "sent/s", &rates(|counts| counts.sent), None, human::count, &seconds);
    series(frame, received, "received/s", &rates(|counts| counts.received), None, human::count, &seconds);
    let fills: Vec<f64> = ring.fills.iter().copied().collect();
    series(frame, fill, "fill", &fills, Some(100.0), |percent| format!("{percent:.0}%"), &seconds);
    frame.render_widget(participants(ring, state), seats);
}

pub(crate) fn draw_gone(frame: &mut Frame, (_, name): &Key) {
    let text = format!("\n{} is gone: it was removed. Esc goes back.", human::harmless(name));
    frame.render_widget(Paragraph::new(text).block(Block::bordered()), frame.area());
}

fn facts(ring: &History, state: &State) -> Vec<Line<'static>> {
    let report = &ring.look.report;
    let totals = Counts::total(report);
    let stream = if report.closed { "closed" } else { "open" };
    vec![
        Line::from(format!(
            "{}, {}, stream {stream}, holds {}, largest message {}, file {}, mode {}, uid {}",
            report.kind,
            report.state,
            human::bytes(report.capacity),
            human::bytes(report.largest_message),
            human::bytes(report.bytes),
            human::mode(report.mode),
            report.uid,
        )),
        Line::from(format!(
            "made by {} {} ago, active {} ago; {} used ({}), oldest message {}",
            human::harmless(&report.creator),
            human::age(report.created, state.now),
            human::age(ring.active(), state.now),
            human::bytes(report.used),
            ls::fill(report),
            columns::age(ring.oldest()),
        )),
        Line::from(format!(
            "in all {} sent, {} received, {} redelivered, {} abandoned",
            totals.sent, totals.received, totals.redeliveries, totals.abandoned,
        )),
        Line::from(format!(
            "{} parks, {} stalls, {} wakes, {} slice rescues",
            totals.parks, totals.stalls, totals.wakes, totals.slice_rescues,
        )),
    ]
}

/// A figure over time, the newest at the right.
fn series(
    frame: &mut Frame,
    area: Rect,
    name: &str,
    values: &[f64],
    most: Option<f64>,
    show: fn(f64) -> String,
    seconds: &[f64],
) {
    let [head, picture] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let shown = &values[values.len().saturating_sub(usize::from(area.width))..];
    let span = seconds.iter().rev().take(shown.len()).fold(0.0, |sum, second| sum + second);
    let last = shown.last().copied().unwrap_or_default();
    let peak = shown.iter().copied().fold(0.0, f64::max);
    let line = format!("{name} {}, at most {} in the last {span:.0} s", show(last), show(peak));
    frame.render_widget(Line::from(line), head);
    // The picture is of whole numbers; what is not nothing shall not look like nothing.
    let data: Vec<u64> = shown.iter().rev().map(|value| (value * 1000.0).ceil() as u64).collect();
    let sparkline = Sparkline::default()
        .data(data)
        .direction(RenderDirection::RightToLeft)
        .style(Style::new().fg(Color::Cyan));
    let sparkline = match most {
        Some(most) => sparkline.max((most * 1000.0) as u64),
        None => sparkline,
    };
    frame.render_widget(sparkline, picture);
}

const SEAT_HEADINGS: [&str; 12] = [
    "SEAT",
    "ROLE",
    "STATE",
    "PROGRAM@CONTAINER",
    "PID",
    "SINCE",
    "MSG/s",
    "BYTES/s",
    "PARKS/s",
    "STALLS/s",
    "REDELIV",
    "HOLDERS",
];

fn participants(ring: &History, state: &State) -> Table<'static> {
    let rows: Vec<[String; 12]> =
        ring.look.report.seats.iter().map(|seat| participant(seat, ring, state)).collect();
    // As wide as needed, so that names are cut last.
    let widths: Vec<Constraint> = (0..SEAT_HEADINGS.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            let width = cells.chain([SEAT_HEADINGS[column].len()]).max().unwrap_or(0);
            Constraint::Length(width.min(40) as u16)
        })
        .collect();
    Table::new(rows.into_iter().map(Row::new), widths).header(Row::new(SEAT_HEADINGS).bold())
}

fn participant(seat: &Seat, ring: &History, state: &State) -> [String; 12] {
    let since = ring.seats.iter().find(|(index, _)| *index == seat.index);
    let recent = since.map_or_else(Stats::default, |(_, stats)| *stats);
    let flow = ring.flow();
    let rate = |count| human::count(flow.per_second(count));
    let condition = match (seat.live, seat.left) {
        (true, _) => "live",
        (false, true) => "left",
        (false, false) => "died",
    };
    [
        seat.index.to_string(),
        seat.role.to_string(),
        condition.to_owned(),
        human::harmless(&format!("{}@{}", seat.program, seat.host)),
        seat.pid.to_string(),
        human::age(seat.since, state.now),
        rate(recent.messages),
        human::bytes(flow.per_second(recent.bytes) as u64),
        rate(recent.parks),
        rate(recent.stalls),
        seat.stats.redeliveries.to_string(),
        seat.stats.attaches.to_string(),
    ]
}
