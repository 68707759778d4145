//! Charts as SVG: times by percentile, rates by message size.

use hdrhistogram::Histogram;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::{
    BLACK, ChartBuilder, Color, DrawingArea, IntoDrawingArea, IntoFont, IntoLogRange, LineSeries,
    PathElement, RGBColor, SVGBackend, Text, WHITE,
};
use plotters::style::{ShapeStyle, TextStyle};

use crate::case::{Case, Mode};
use crate::results::Row;
use crate::subjects::Kind;
use crate::units::{bytes, figure};
use crate::{Error, Result};

/// A chart.
#[derive(Debug)]
pub struct Chart {
    /// What its file is called, without ending.
    pub name: String,
    /// The picture.
    pub svg: String,
}

const SIZE: (u32, u32) = (1000, 560);
const PLOT_WIDTH: i32 = 730;
/// More lines than this nobody can tell apart: podring's and the best of the others.
const MOST: usize = 11;
/// Told apart also by those who see fewer colours (Okabe and Ito, then greys).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 94, 240),
    RGBColor(90, 90, 90),
];

struct Line {
    label: String,
    note: String,
    own: bool,
    points: Vec<(f64, f64)>,
}

/// Every chart for which there are figures.
pub fn charts(rows: &[Row]) -> Result<Vec<Chart>> {
    let cases: Vec<(&Row, &Case)> =
        rows.iter().filter_map(|row| row.case.as_ref().map(|case| (row, case))).collect();
    let mut charts = Vec::new();
    for mode in [Mode::Latency, Mode::Oneway, Mode::Wake] {
        let mut sizes: Vec<usize> =
            cases.iter().filter(|(_, case)| case.mode == mode).map(|(_, case)| case.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        for size in sizes {
            let these: Vec<_> =
                cases.iter().filter(|(_, case)| case.mode == mode && case.size == size).copied().collect();
            charts.push(times(mode, size, &these)?);
        }
    }
    for (mode, batches) in
        [(Mode::Throughput, false), (Mode::Throughput, true), (Mode::Mpmc, false), (Mode::Mpmc, true)]
    {
        let these: Vec<_> = cases
            .iter()
            .filter(|(_, case)| case.mode == mode && (case.batch > 1) == batches)
            .copied()
            .collect();
        if !these.is_empty() {
            charts.push(rates(mode, batches, &these)?);
        }
    }
    Ok(charts)
}

/// What tells a case from the others of a chart.
fn label(case: &Case, cases: &[(&Row, &Case)]) -> String {
    let mut label = case.subject.name().to_owned();
    let differs = |of: fn(&Case) -> usize| {
        cases.iter().any(|(_, other)| other.subject == case.subject && of(other) != of(case))
    };
    if differs(|case| case.wait as usize) {
        label += &format!(", {}", case.wait.name());
    }
    if differs(|case| case.place as usize) {
        label += &format!(", {}", case.place.name());
    }
    if case.mode == Mode::Mpmc {
        label += &format!(", {}+{}", case.producers, case.consumers);
    }
    if differs(|case| case.capacity) {
        label += &format!(", {}", bytes(case.capacity));
    }
    if differs(|case| case.batch) {
        label += &format!(", of {}", case.batch);
    }
    label
}

/// Times by percentile; both axes logarithmic, the lower one in 1/(1 - quantile).
fn times(mode: Mode, size: usize, cases: &[(&Row, &Case)]) -> Result<Chart> {
    let (what, name) = match mode {
        Mode::Latency => ("Round trips", "latency"),
        Mode::Oneway => ("One way at a rate", "oneway"),
        _ => ("To a receiver that sleeps", "wake"),
    };
    let mut lines: Vec<Line> = cases
        .iter()
        .filter_map(|(row, case)| {
            let times = row.times.as_ref()?;
            Some(Line {
                label: label(case, cases),
                note: format!("p50 {} ns", figure(row.figure("p50_ns"))),
                own: case.subject.kind() == Kind::Own,
                points: curve(times),
            })
        })
        .collect();
    lines.sort_by(|a, b| a.points[0].1.total_cmp(&b.points[0].1));
    let floor = crate::summary::median_of(cases, |(row, _)| row.floor_ns());
    let title = format!("{what}, {} messages", bytes(size));
    draw(&Picture {
        name: format!("{name}-{size}"),
        title,
        x_name: "percentile",
        y_name: "nanoseconds",
        x: Axis::Quantile,
        floor: Some((floor, format!("floor {} ns", figure(floor)))),
        lines,
    })
}

/// The points of a distribution that make its shape: p50 and on, five a decade.
fn curve(times: &Histogram<u64>) -> Vec<(f64, f64)> {
    let last = (times.len() as f64).clamp(10.0, 1e5);
    let mut points = Vec::new();
    let mut inverse = 2.0_f64;
    while inverse <= last {
        points.push((inverse, times.value_at_quantile(1.0 - 1.0 / inverse).max(1) as f64));
        inverse *= 10f64.powf(0.1);
    }
    points
}

/// Messages a second by size.
fn rates(mode: Mode, batches: bool, cases: &[(&Row, &Case)]) -> Result<Chart> {
    let mut lines: Vec<Line> = Vec::new();
    for (row, case) in cases {
        let label = label(case, cases);
        let point = (case.size as f64, row.figure("msgs_per_s") / 1e6);
        match lines.iter_mut().find(|line| line.label == label) {
            Some(line) => line.points.push(point),
            None => lines.push(Line {
                label,
                note: String::new(),
                own: case.subject.kind() == Kind::Own,
                points: vec![point],
            }),
        }
    }
    for line in &mut lines {
        line.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (size, rate) = line.points[line.points.len() / 2];
        line.note = format!("{} at {}", figure(rate), bytes(size as usize));
    }
    lines.sort_by(|a, b| b.points[0].1.total_cmp(&a.points[0].1));
    let (what, name) = match mode {
        Mode::Throughput => ("Streams", "throughput"),
        _ => ("Many producers, many consumers", "mpmc"),
    };
    let how = if batches { "in batches" } else { "one at a time" };
    draw(&Picture {
        name: format!("{name}-{}", if batches { "batches" } else { "single" }),
        title: format!("{what}, {how}"),
        x_name: "message size",
        y_name: "million messages a second",
        x: Axis::Size,
        floor: None,
        lines,
    })
}

struct Picture {
    name: String,
    title: String,
    x_name: &'static str,
    y_name: &'static str,
    x: Axis,
    floor: Option<(f64, String)>,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Quantile,
    Size,
}

/// A logarithmic axis with marks where people look for them.
#[derive(Debug, Clone)]
struct Marks {
    from: f64,
    to: f64,
    axis: Axis,
    points: Vec<f64>,
}

impl Marks {
    fn new(axis: Axis, lines: &[Line]) -> Self {
        let xs = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.0));
        let (from, to) = (xs().fold(f64::INFINITY, f64::min), xs().fold(0.0, f64::max));
        let points = match axis {
            Axis::Quantile => vec![2.0, 10.0, 100.0, 1e3, 1e4, 1e5],
            Axis::Size => {
                let mut sizes: Vec<f64> = xs().collect();
                sizes.sort_by(f64::total_cmp);
                sizes.dedup();
                sizes
            }
        };
        // One size alone would be an axis of no length.
        let (from, to) = if to > from { (from, to) } else { (from / 2.0, to * 2.0) };
        Self { from, to, axis, points }
    }
}

impl Ranged for Marks {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (low, high): (i32, i32)) -> i32 {
        let part = (value / self.from).ln() / (self.to / self.from).ln();
        low + (part * f64::from(high - low)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.points.iter().copied().filter(|x| (self.from..=self.to * 1.001).contains(x)).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Marks {
    fn format_ext(&self, value: &f64) -> String {
        match self.axis {
            Axis::Size => bytes(*value as usize),
            Axis::Quantile => {
                let percent = format!("{:.3}", 100.0 - 100.0 / value);
                format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

fn draw(picture: &Picture) -> Result<Chart> {
    let mut svg = String::new();
    paint(picture, &mut svg).map_err(|e| Error::Partner(format!("drawing {}: {e}", picture.name)))?;
    Ok(Chart { name: picture.name.clone(), svg })
}

type Painted = std::result::Result<(), Box<dyn std::error::Error>>;

fn paint(picture: &Picture, svg: &mut String) -> Painted {
    // Podring's lines are all drawn; of the others the best.
    let mut others = MOST.saturating_sub(picture.lines.iter().filter(|line| line.own).count());
    let lines: Vec<&Line> = picture
        .lines
        .iter()
        .filter(|line| {
            let drawn = line.own || others > 0;
            others -= usize::from(!line.own && others > 0);
            drawn
        })
        .collect();
    let ys = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
    let floor = picture.floor.as_ref().map_or(f64::NAN, |(floor, _)| *floor);
    let low = ys().fold(floor, f64::min) * 0.8;
    let high = ys().fold(floor, f64::max) * 1.3;
    let marks = Marks::new(picture.x, &picture.lines);

    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (plot, legend) = root.split_horizontally(PLOT_WIDTH);
    let mut chart = ChartBuilder::on(&plot)
        .caption(&picture.title, ("sans-serif", 22))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(marks.clone(), (low..high).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(RGBColor(238, 238, 238))
        .bold_line_style(RGBColor(215, 215, 215))
        .x_desc(picture.x_name)
        .y_desc(picture.y_name)
        .axis_desc_style(("sans-serif", 15))
        .label_style(("sans-serif", 14))
        .y_label_formatter(&|value| axis_figure(*value))
        .draw()?;
    if let Some((floor, _)) = &picture.floor {
        let points = [(marks.from, *floor), (marks.to, *floor)];
        chart.draw_series([PathElement::new(points, RGBColor(150, 150, 150).stroke_width(1))])?;
    }
    for (at, line) in lines.iter().enumerate() {
        chart.draw_series(LineSeries::new(line.points.iter().copied(), style(at, line.own)))?;
        if picture.x == Axis::Size {
            let dots = line.points.iter().map(|&point| {
                plotters::element::Circle::new(point, if line.own { 4 } else { 3 }, colour(at).filled())
            });
            chart.draw_series(dots)?;
        }
    }
    paint_legend(picture, &lines, &legend)?;
    root.present()?;
    Ok(())
}

fn paint_legend<Backend>(
    picture: &Picture,
    lines: &[&Line],
    area: &DrawingArea<Backend, plotters::coord::Shift>,
) -> Painted
where
    Backend: plotters::prelude::DrawingBackend,
    Backend::ErrorType: 'static,
{
    let mut y = 56;
    for (at, line) in lines.iter().enumerate() {
        area.draw(&PathElement::new([(4, y + 8), (30, y + 8)], style(at, line.own)))?;
        let text = TextStyle::from(("sans-serif", 14).into_font()).color(&BLACK);
        area.draw(&Text::new(line.label.clone(), (38, y), text))?;
        let text = TextStyle::from(("sans-serif", 12).into_font()).color(&RGBColor(110, 110, 110));
        area.draw(&Text::new(line.note.clone(), (38, y + 17), text))?;
        y += 40;
    }
    if let Some((_, note)) = &picture.floor {
        area.draw(&PathElement::new([(4, y + 8), (30, y + 8)], RGBColor(150, 150, 150).stroke_width(1)))?;
        let text = TextStyle::from(("sans-serif", 14).into_font()).color(&RGBColor(110, 110, 110));
        area.draw(&Text::new(note.clone(), (38, y), text))?;
    }
    Ok(())
}

fn colour(at: usize) -> RGBColor {
    COLOURS[at % COLOURS.len()]
}

/// podring's lines are thick; the second time round the colours are lighter.
fn style(at: usize, own: bool) -> ShapeStyle {
    let faded = if at < COLOURS.len() { 1.0 } else { 0.45 };
    colour(at).mix(faded).stroke_width(if own { 4 } else { 2 })
}

/// A figure on an axis: short.
fn axis_figure(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e3 => format!("{} k", value / 1e3),
        value => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::row;

    #[test]
    fn a_distribution_is_drawn_as_far_as_it_is_known() {
        let mut times = Histogram::new(3).unwrap();
        (1..=1000).for_each(|value| times.record(value).unwrap());
        let curve = curve(&times);
        assert_eq!(curve[0], (2.0, 500.0));
        let last = curve.last().unwrap();
        assert!(last.0 <= 1000.0 && last.1 >= 998.0, "{last:?}");
    }

    #[test]
    fn marks_are_named_as_people_say_them() {
        let marks = Marks { from: 2.0, to: 1e5, axis: Axis::Quantile, points: Vec::new() };
        let named = |value: f64| marks.format_ext(&value);
        assert_eq!([2.0, 10.0, 100.0, 1e4].map(named), ["50 %", "90 %", "99 %", "99.99 %"]);
        assert_eq!((marks.map(&2.0, (0, 100)), marks.map(&1e5, (0, 100))), (0, 100));
    }

    #[test]
    fn without_cases_there_is_no_chart() {
        assert!(charts(&[row("a", "p50_ns", &[(1.0, 1.0)])]).unwrap().is_empty());
    }
}
