//! Line charts over cores: measured curves, references, the ideal line, the model (dashed), crossovers (circles).
//! Tests: below.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

/// Width and height in pixels.
const SIZE: (u32, u32) = (900, 560);
const FONT: &str = "sans-serif";

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// Measured here.
    Measured,
    /// Measured elsewhere, or ideal: thin.
    Reference,
    /// Predicted: dashed.
    Predicted,
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// Number of its colour.
    pub colour: usize,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Cores and value, by ascending cores.
    pub points: Vec<(u32, f64)>,
}

/// Spacing of the vertical axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Even, from 0.
    Linear,
    /// By powers of two, as the horizontal axis always is: what grows with the cores is a straight line.
    Doublings,
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        if self == Self::Linear { value } else { value.max(1.0).log2() }
    }

    fn value(self, place: f64) -> f64 {
        if self == Self::Linear { place } else { place.exp2() }
    }
}

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// File name without extension.
    pub name: &'static str,
    /// Title.
    pub title: String,
    /// What the vertical axis counts.
    pub unit: &'static str,
    /// How that axis is spaced.
    pub scale: Scale,
    /// The lines.
    pub curves: Vec<Curve>,
    /// Crossovers, to be marked.
    pub crossings: Vec<(f64, f64)>,
}

/// Colours that stay apart for the colour-blind (Okabe and Ito).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x80, 0x80, 0x80),
    RGBColor(0xb0, 0xb0, 0xb0),
];

/// Where two measured lines cross, in cores and value: interpolated between neighbouring points that both have.
pub fn crossing(one: &[(u32, f64)], other: &[(u32, f64)]) -> Option<(f64, f64)> {
    let both: Vec<(f64, f64, f64)> = one
        .iter()
        .filter_map(|&(cores, value)| {
            let (_, against) = other.iter().find(|(also, _)| *also == cores)?;
            Some((f64::from(cores).log2(), value, *against))
        })
        .collect();
    both.windows(2).find_map(|pair| {
        let ((x0, a0, b0), (x1, a1, b1)) = (pair[0], pair[1]);
        let (before, after) = (a0 - b0, a1 - b1);
        // Touching is not crossing.
        (before * after < 0.0).then(|| {
            let part = before / (before - after);
            ((x0 + part * (x1 - x0)).exp2(), a0 + part * (a1 - a0))
        })
    })
}

/// The chart as SVG.
///
/// # Errors
/// When it cannot be drawn.
pub fn svg(chart: &Chart) -> Result<String> {
    let mut svg = String::new();
    draw(chart, &mut svg).map_err(|error| anyhow!("cannot draw {}: {error}", chart.name))?;
    Ok(svg)
}

fn draw(chart: &Chart, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let points = || chart.curves.iter().flat_map(|curve| &curve.points);
    let doublings = points().map(|(cores, _)| cores.ilog2()).max().unwrap_or(0).max(1);
    // The ideal line would squeeze everything else to the ground where nothing comes near it.
    let solid = chart.curves.iter().filter(|curve| curve.stroke != Stroke::Reference).flat_map(|curve| &curve.points);
    let places: Vec<f64> = solid.map(|(_, value)| chart.scale.place(*value)).collect();
    let highest = places.iter().copied().fold(0.0, f64::max);
    let height = if highest > 0.0 { highest * 1.25 } else { 1.0 };
    let ground = match chart.scale {
        Scale::Linear => 0.0,
        Scale::Doublings => places.iter().copied().fold(height, f64::min).floor(),
    };
    let height = if chart.scale == Scale::Linear { height } else { highest + (highest - ground) * 0.35 };
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut context = ChartBuilder::on(&root)
        .caption(&chart.title, (FONT, 19))
        .margin(14)
        .x_label_area_size(46)
        .y_label_area_size(86)
        .build_cartesian_2d(0.0..f64::from(doublings), ground..height)?;
    context
        .configure_mesh()
        .x_desc("cores")
        .y_desc(chart.unit)
        .x_labels(doublings as usize + 1)
        .x_label_formatter(&|x| if x.fract().abs() < 1e-6 { format!("{:.0}", x.exp2()) } else { String::new() })
        .y_label_formatter(&|y| {
            let value = chart.scale.value(*y);
            if height < 20.0 && chart.scale == Scale::Linear { format!("{value:.1}") } else { format!("{value:.0}") }
        })
        .light_line_style(WHITE)
        .label_style((FONT, 14))
        .draw()?;
    for curve in &chart.curves {
        let colour = COLOURS[curve.colour % COLOURS.len()];
        let width = if curve.stroke == Stroke::Reference { 1 } else { 2 };
        let style = colour.stroke_width(width);
        let place = |&(cores, value): &(u32, f64)| (f64::from(cores).log2(), chart.scale.place(value));
        let visible: Vec<(f64, f64)> = clipped(&curve.points.iter().map(place).collect::<Vec<_>>(), height);
        let legend = move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style);
        if curve.stroke == Stroke::Predicted {
            let line = DashedLineSeries::new(visible, 6, 4, style);
            context.draw_series(line)?.label(&curve.name).legend(legend);
            continue;
        }
        context.draw_series(LineSeries::new(visible.clone(), style))?.label(&curve.name).legend(legend);
        if curve.stroke == Stroke::Measured {
            let dots = curve.points.iter().map(place).map(|at| Circle::new(at, 3, colour.filled()));
            context.draw_series(dots)?;
        }
    }
    for &(cores, value) in &chart.crossings {
        let at = (cores.log2(), chart.scale.place(value));
        context.draw_series([Circle::new(at, 8, BLACK.stroke_width(2))])?;
        let text = format!("crossover at {cores:.1} cores");
        context.draw_series([Text::new(text, (at.0 + 0.06, at.1 + height * 0.04), (FONT, 14))])?;
    }
    context
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .border_style(BLACK.mix(0.3))
        .background_style(WHITE.mix(0.85))
        .label_font((FONT, 13))
        .draw()?;
    root.present()?;
    Ok(())
}

/// The part of a line that lies below `height`: its last piece is cut where it leaves.
fn clipped(points: &[(f64, f64)], height: f64) -> Vec<(f64, f64)> {
    let mut visible = Vec::new();
    for (index, &(x, y)) in points.iter().enumerate() {
        if y <= height {
            visible.push((x, y));
            continue;
        }
        if let Some(&(x0, y0)) = index.checked_sub(1).and_then(|before| points.get(before)) {
            visible.push((x0 + (height - y0) / (y - y0) * (x - x0), height));
        }
        break;
    }
    visible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_cross_where_their_difference_changes_sign() {
        let (up, flat) = ([(1, 1.0), (2, 2.0), (4, 3.0)], [(1, 1.5), (2, 1.5), (4, 1.5)]);
        let (cores, value) = crossing(&up, &flat).unwrap();
        assert!((cores - 2f64.sqrt()).abs() < 1e-9 && (value - 1.5).abs() < 1e-9, "{cores} {value}");
        assert_eq!(crossing(&up, &[(1, 1.0), (2, 1.0)]), None, "touching at the start");
        assert_eq!(crossing(&up, &[(8, 1.0)]), None, "no core in common");
    }

    #[test]
    fn a_line_ends_where_it_leaves_the_chart() {
        assert_eq!(clipped(&[(0.0, 1.0), (1.0, 3.0), (2.0, 9.0)], 2.0), [(0.0, 1.0), (0.5, 2.0)]);
    }

    #[test]
    fn a_chart_has_its_axes_and_names() {
        let curve =
            Curve { name: "ours".into(), colour: 0, stroke: Stroke::Measured, points: vec![(1, 1.0), (4, 4.0)] };
        let chart = Chart {
            name: "x",
            title: "Title".into(),
            unit: "per tick",
            scale: Scale::Doublings,
            curves: vec![curve],
            crossings: vec![(2.0, 2.0)],
        };
        let svg = svg(&chart).unwrap();
        for text in ["Title", "cores", "per tick", "ours", "crossover at 2.0 cores"] {
            assert!(svg.contains(text), "{text}");
        }
    }
}
