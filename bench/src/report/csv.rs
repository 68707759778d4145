//! One line for each case; the first line names the columns, with their units.

use crate::results::{PERCENTILES, Row};

/// Renders it.
pub fn render(rows: &[Row]) -> String {
    let figures: Vec<&str> = PERCENTILES
        .iter()
        .map(|(_, key, _)| *key)
        .chain(["max_ns", "mean_ns", "ns_per_msg", "msgs_per_s", "bytes_per_s", "parks", "count"])
        .collect();
    let mut out = String::from(
        "name,mode,subject,message_bytes,capacity_bytes,batch,wait,where,rate_per_s,producers,consumers,runs,",
    );
    out += &figures.join(",");
    out += ",floor_ns,per_floor,note\n";
    for row in rows {
        let Some(case) = &row.case else { continue };
        let mut cells = vec![
            row.name.clone(),
            case.mode.name().to_owned(),
            case.subject.name().to_owned(),
            case.size.to_string(),
            case.capacity.to_string(),
            case.batch.to_string(),
            case.wait.name().to_owned(),
            case.place.name().to_owned(),
            case.rate.to_string(),
            case.producers.to_string(),
            case.consumers.to_string(),
            row.runs.len().to_string(),
        ];
        cells.extend(figures.iter().map(|key| plain(row.figure(key))));
        cells.extend([plain(row.floor_ns()), plain(row.per_floor(row.headline()))]);
        cells.push(format!("\"{}\"", row.mark()));
        out += &cells.join(",");
        out.push('\n');
    }
    out
}

/// Empty where there is no figure.
fn plain(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { String::new() }
}
