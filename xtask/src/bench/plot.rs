//! The bar chart: Skerry next to seL4 and to what is to be reached.

use super::figures::Figure;
use super::reference::{REFERENCES, Reference};
use super::report::median;
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Width and height in pixels.
const SIZE: (u32, u32) = (1100, 1000);
/// Thickness of a bar; rows are one apart.
const BAR: f64 = 0.26;
const OURS: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const THEIRS: RGBColor = RGBColor(0xb0, 0xb0, 0xb0);
const TARGET: RGBColor = RGBColor(0xd6, 0x27, 0x28);

/// The chart as SVG: one row per operation that has a figure of seL4 MCS or a target.
///
/// # Errors
/// When it cannot be drawn.
pub fn bars(figures: &[Figure]) -> Result<String> {
    let rows: Vec<(&Reference, Option<u64>)> = REFERENCES
        .iter()
        .rev()
        .filter(|row| row.sel4_mcs.is_some() || row.target.is_some())
        .map(|row| (row, median(figures, row.id)))
        .collect();
    let mut svg = String::new();
    draw(&rows, &mut svg).map_err(|error| anyhow!("cannot draw the chart: {error}"))?;
    Ok(svg)
}

fn draw(rows: &[(&Reference, Option<u64>)], svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let values = rows.iter().flat_map(|(row, ours)| [*ours, row.sel4_mcs, row.target]).flatten();
    let width = values.max().unwrap_or(1) as f64 * 1.1;
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("Instructions per operation (QEMU -icount, one core; fewer is better)", ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(50)
        .y_label_area_size(190)
        .build_cartesian_2d(0.0..width, 0.0..rows.len() as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .x_desc("instructions from kernel entry to return to user mode (stub subtracted)")
        .y_desc("operation")
        // Named below: a row's name belongs to its middle.
        .y_label_formatter(&|_| String::new())
        .x_label_formatter(&|value| format!("{value:.0}"))
        .label_style(("sans-serif", 14))
        .draw()?;
    let beside = TextStyle::from(("sans-serif", 14)).pos(Pos::new(HPos::Right, VPos::Center));
    for (row, (reference, _)) in rows.iter().enumerate() {
        let (x, y) = chart.backend_coord(&(0.0, row as f64 + 0.5));
        root.draw(&Text::new(reference.id, (x - 8, y), beside.clone()))?;
    }
    let bar = |row: usize, offset: f64, value: u64, style: ShapeStyle| {
        let middle = row as f64 + 0.5 + offset;
        Rectangle::new([(0.0, middle - BAR / 2.0), (value as f64, middle + BAR / 2.0)], style)
    };
    let numbered = rows.iter().enumerate();
    let ours = numbered.clone().filter_map(|(row, (_, ours))| Some(bar(row, BAR / 2.0, (*ours)?, OURS.filled())));
    let sel4 = numbered
        .clone()
        .filter_map(|(row, (reference, _))| Some(bar(row, -BAR / 2.0, reference.sel4_mcs?, THEIRS.filled())));
    let targets = numbered.clone().filter_map(|(row, (reference, _))| {
        let (at, row) = (reference.target? as f64, row as f64);
        Some(PathElement::new([(at, row + 0.08), (at, row + 0.92)], TARGET.stroke_width(3)))
    });
    let square = |style: ShapeStyle| move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], style);
    chart.draw_series(ours)?.label("Skerry").legend(square(OURS.filled()));
    chart.draw_series(sel4)?.label("seL4 16 MCS").legend(square(THEIRS.filled()));
    chart.draw_series(targets)?.label("to reach").legend(square(TARGET.filled()));
    let numbers = numbered.filter_map(|(row, (_, ours))| {
        let at = ((*ours)? as f64 + width * 0.005, row as f64 + 0.5 + BAR);
        Some(Text::new(ours.unwrap_or(0).to_string(), at, ("sans-serif", 13)))
    });
    chart.draw_series(numbers)?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .border_style(BLACK)
        .background_style(WHITE.mix(0.9))
        .label_font(("sans-serif", 15))
        .draw()?;
    root.present()?;
    Ok(())
}
