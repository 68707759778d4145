//! Draws a chart as SVG.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::element::{Circle, DashedPathElement};
use plotters::prelude::{
    BLACK, ChartBuilder, Color, DashedLineSeries, DrawingArea, IntoDrawingArea, IntoFont, IntoLogRange,
    LineSeries, PathElement, RGBColor, SVGBackend, Text, WHITE,
};
use plotters::style::{ShapeStyle, TextStyle};

use crate::report::plot::Chart;
use crate::units::bytes;
use crate::{Error, Result};

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

/// What is drawn for one transport.
#[derive(Debug)]
pub(super) struct Line {
    /// Whose it is: all lines of one have one colour.
    pub(super) subject: &'static str,
    /// How many lines of its subject come before it, whatever the order in the end.
    pub(super) nth: usize,
    pub(super) label: String,
    pub(super) note: String,
    pub(super) own: bool,
    pub(super) points: Vec<(f64, f64)>,
}

impl Line {
    /// Messages a second of a size.
    pub(super) fn rate(&self, size: usize) -> Option<f64> {
        self.points.iter().find(|point| point.0 as usize == size).map(|point| point.1)
    }
}

/// A chart before it is drawn.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) x_name: &'static str,
    pub(super) y_name: &'static str,
    pub(super) x: Axis,
    pub(super) floor: Option<(f64, String)>,
    pub(super) lines: Vec<Line>,
}

/// What the lower axis is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
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

impl Picture {
    /// Draws it.
    pub(super) fn draw(self) -> Result<Chart> {
        let mut svg = String::new();
        paint(&self, &mut svg).map_err(|e| Error::Partner(format!("drawing {}: {e}", self.name)))?;
        Ok(Chart { name: self.name, svg })
    }
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
        .y_label_formatter(&|value| axis_figure(picture.x, *value))
        .draw()?;
    if let Some((floor, _)) = &picture.floor {
        let points = [(marks.from, *floor), (marks.to, *floor)];
        chart.draw_series([PathElement::new(points, RGBColor(150, 150, 150).stroke_width(1))])?;
    }
    let looks = looks(&lines);
    for (line, look) in lines.iter().zip(&looks) {
        let points = line.points.iter().copied();
        match look.dash {
            None => chart.draw_series(LineSeries::new(points, look.style))?,
            Some((dash, gap)) => chart.draw_series(DashedLineSeries::new(points, dash, gap, look.style))?,
        };
        if picture.x == Axis::Size {
            let dots = line.points.iter().map(|&point| {
                let size = if line.own { 4 } else { 3 };
                Circle::new(point, size, look.style.color.filled())
            });
            chart.draw_series(dots)?;
        }
    }
    paint_legend(picture, &lines, &looks, &legend)?;
    root.present()?;
    Ok(())
}

fn paint_legend<Backend>(
    picture: &Picture,
    lines: &[&Line],
    looks: &[Look],
    area: &DrawingArea<Backend, plotters::coord::Shift>,
) -> Painted
where
    Backend: plotters::prelude::DrawingBackend,
    Backend::ErrorType: 'static,
{
    let mut y = 56;
    for (line, look) in lines.iter().zip(looks) {
        let sample = [(4, y + 8), (32, y + 8)];
        match look.dash {
            None => area.draw(&PathElement::new(sample, look.style))?,
            Some((dash, gap)) => area.draw(&DashedPathElement::new(sample, dash, gap, look.style))?,
        }
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

/// How a line is drawn.
#[derive(Debug, Clone, Copy)]
struct Look {
    style: ShapeStyle,
    /// Length of a dash and of a gap.
    dash: Option<(i32, i32)>,
}

/// A colour for each transport, in the order of the lines; its second way (to wait, for one) is dashed, more are dotted.
/// podring's are thick. The second time round the colours are lighter.
fn looks(lines: &[&Line]) -> Vec<Look> {
    let mut seen: Vec<&str> = Vec::new();
    let look = |line: &&Line| {
        let at = seen.iter().position(|subject| *subject == line.subject).unwrap_or_else(|| {
            seen.push(line.subject);
            seen.len() - 1
        });
        let (dash, faded) = (
            [None, Some((9, 5)), Some((3, 4))][line.nth.min(2)],
            if at < COLOURS.len() { 1.0 } else { 0.45 },
        );
        let style = COLOURS[at % COLOURS.len()].mix(faded).stroke_width(if line.own { 4 } else { 2 });
        Look { style, dash }
    };
    lines.iter().map(look).collect()
}

/// A figure on an axis: short.
fn axis_figure(axis: Axis, value: f64) -> String {
    match axis {
        Axis::Size => format!("{value}"),
        Axis::Quantile => match value {
            value if value >= 1e9 => format!("{} s", value / 1e9),
            value if value >= 1e6 => format!("{} ms", value / 1e6),
            value if value >= 1e3 => format!("{} µs", value / 1e3),
            value => format!("{value} ns"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_named_as_people_say_them() {
        let marks = Marks { from: 2.0, to: 1e5, axis: Axis::Quantile, points: Vec::new() };
        let named = |value: f64| marks.format_ext(&value);
        assert_eq!([2.0, 10.0, 100.0, 1e4].map(named), ["50 %", "90 %", "99 %", "99.99 %"]);
        assert_eq!((marks.map(&2.0, (0, 100)), marks.map(&1e5, (0, 100))), (0, 100));
    }

    fn line(subject: &'static str, nth: usize, own: bool) -> Line {
        Line {
            subject,
            nth,
            label: String::new(),
            note: String::new(),
            own,
            points: vec![(64.0, 5.0), (256.0, 1.0)],
        }
    }

    #[test]
    fn lines_of_one_transport_have_one_colour() {
        let lines = [line("a", 1, true), line("b", 0, false), line("a", 0, true), line("a", 2, true)];
        let looks = looks(&lines.iter().collect::<Vec<_>>());
        assert_eq!(
            looks.iter().map(|look| look.dash.is_some()).collect::<Vec<_>>(),
            [true, false, false, true]
        );
        assert_ne!(looks[0].dash, looks[3].dash);
        let colour = |at: usize| looks[at].style.color;
        assert_eq!((colour(0), colour(2)), (colour(3), colour(0)));
        assert_ne!(colour(0), colour(1));
        assert_eq!((looks[0].style.stroke_width, looks[1].style.stroke_width), (4, 2));
    }

    #[test]
    fn the_legend_says_a_rate_only_where_there_is_one() {
        assert_eq!(line("a", 0, true).rate(64), Some(5.0));
        assert_eq!(line("a", 0, true).rate(16), None);
    }

    #[test]
    fn axes_are_marked_in_units() {
        let marks = [100.0, 1e3, 1e4, 1e7, 1e9].map(|value| axis_figure(Axis::Quantile, value));
        assert_eq!(marks, ["100 ns", "1 µs", "10 µs", "10 ms", "1 s"]);
        assert_eq!([0.1, 1000.0].map(|value| axis_figure(Axis::Size, value)), ["0.1", "1000"]);
    }
}
