//! The measurements as a picture: the share of answers that had arrived after each time.

use std::fmt::Write as _;

use crate::Report;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
const MARGIN: f64 = 48.0;

/// An SVG document with a panel per kind of request. Two lines that coincide reveal nothing; two that do not reveal who exists.
pub fn svg(reports: &[Report]) -> String {
    let height = HEIGHT * reports.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (panel, report) in reports.iter().enumerate() {
        let top = HEIGHT * panel as f64;
        let mut all: Vec<f64> = report.unknown.iter().chain(&report.known).copied().collect();
        all.sort_by(f64::total_cmp);
        // The slowest hundredth is left out, because it would compress the rest.
        let (least, most) = (all[0], all[(all.len() - 1) * 99 / 100].max(all[0] + 0.001));
        let x = |time: f64| MARGIN + (time.min(most) - least) / (most - least) * (WIDTH - 2.0 * MARGIN);
        let y = |share: f64| top + HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN);
        for (sample, colour) in [(&report.unknown, "#c33"), (&report.known, "#06c")] {
            let mut sorted = sample.clone();
            sorted.sort_by(f64::total_cmp);
            let mut points = format!("{:.1},{:.1}", x(sorted[0]), y(0.0));
            for (index, time) in sorted.iter().enumerate() {
                let (before, after) = (index as f64 / sorted.len() as f64, (index + 1) as f64 / sorted.len() as f64);
                let _ = write!(points, " {:.1},{:.1} {:.1},{:.1}", x(*time), y(before), x(*time), y(after));
            }
            let _ = writeln!(svg, "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{points}\"/>");
        }
        let (left, right, bottom) = (MARGIN, WIDTH - MARGIN, y(0.0));
        let comparison = &report.comparison;
        let _ = writeln!(
            svg,
            "<path d=\"M{left},{} V{bottom} H{right}\" fill=\"none\" stroke=\"black\"/>\n\
             <text x=\"{left}\" y=\"{}\">{}: <tspan fill=\"#c33\">unknown {:.2} ms</tspan>, <tspan fill=\"#06c\">known {:.2} ms</tspan> (medians), \
             delta {:.3} [{:.3}, {:.3}], p {:.2e}</text>\n\
             <text x=\"{left}\" y=\"{}\">{least:.2} ms</text><text x=\"{right}\" y=\"{}\" text-anchor=\"end\">{most:.2} ms</text>",
            y(1.0),
            top + MARGIN - 16.0,
            report.question.name(),
            comparison.medians.0,
            comparison.medians.1,
            comparison.delta,
            comparison.interval.0,
            comparison.interval.1,
            comparison.p,
            bottom + 16.0,
            bottom + 16.0,
        );
    }
    svg + "</svg>\n"
}
