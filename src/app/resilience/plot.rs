//! Plots as SVG, drawn with lines and text alone.

use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 40.0;

/// One line of a plot.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) colour: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// One plot over time.
pub(super) struct Plot {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    pub(super) series: Vec<Series>,
    /// A time that is shaded, and its name.
    pub(super) shaded: (f64, f64, &'static str),
}

/// The plots, one below the other.
pub(super) fn svg(plots: &[Plot]) -> String {
    let height = HEIGHT * plots.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (index, plot) in plots.iter().enumerate() {
        let _ = writeln!(svg, "<g transform=\"translate(0 {})\">", HEIGHT * index as f64);
        plot.draw(&mut svg);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

impl Plot {
    fn draw(&self, svg: &mut String) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let last = points().map(|point| point.0).fold(1.0, f64::max);
        let most = nice(points().map(|point| point.1).fold(0.0, f64::max));
        let x = |value: f64| LEFT + value / last * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM);
        let (from, to, name) = self.shaded;
        let _ = write!(
            svg,
            "<rect x=\"{:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\" fill=\"#f3e3e0\"/>\n\
             <text x=\"{:.1}\" y=\"{}\" fill=\"#8a4b40\">{name}</text>\n<text x=\"{LEFT}\" y=\"18\" font-weight=\"bold\">{}</text>\n",
            x(from),
            x(to) - x(from),
            HEIGHT - TOP - BOTTOM,
            x(from) + 4.0,
            TOP + 14.0,
            self.title,
        );
        for step in 0..=4 {
            let value = most * f64::from(step) / 4.0;
            let _ = write!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#ddd\"/>\n\
                 <text x=\"{2}\" y=\"{3:.1}\" text-anchor=\"end\">{value}{4}</text>\n",
                WIDTH - RIGHT,
                y(value),
                LEFT - 6.0,
                y(value) + 4.0,
                self.unit
            );
        }
        for step in 0..=(last / 30.0) as u32 {
            let second = f64::from(step) * 30.0;
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{second} s</text>",
                x(second),
                HEIGHT - BOTTOM + 16.0
            );
        }
        for (index, series) in self.series.iter().enumerate() {
            let line: Vec<_> =
                series.points.iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1))).collect();
            let _ = write!(
                svg,
                "<polyline fill=\"none\" stroke=\"{0}\" stroke-width=\"1.5\" points=\"{1}\"/>\n\
                 <text x=\"{2}\" y=\"34\" fill=\"{0}\">{3}</text>\n",
                series.colour,
                line.join(" "),
                LEFT + 190.0 * index as f64,
                series.name
            );
        }
    }
}

/// The next number of 1, 2, 4 or 8 times a power of ten.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-3).log10().floor());
    [1.0, 2.0, 4.0, 8.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}
