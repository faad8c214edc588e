//! Draws bars as SVG, in colours that can be told apart on light and dark pages.

use std::fmt::Write;

/// A group of bars: what they are of, and one value for each series.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) values: Vec<f64>,
}

const COLOURS: [&str; 5] = ["#8a8f98", "#2f7ed8", "#e0902b", "#3aa36b", "#b5549c"];
const LABEL_PX: f64 = 170.0;
const WIDTH_PX: f64 = 760.0;
const BAR_PX: f64 = 14.0;
const GAP_PX: f64 = 12.0;

/// Draws groups of horizontal bars, each with its value at its end.
pub(super) fn bars(title: &str, series: &[&str], groups: impl IntoIterator<Item = Bar>) -> String {
    let groups: Vec<Bar> = groups.into_iter().collect();
    let finite = groups.iter().flat_map(|group| &group.values).copied().filter(|value| value.is_finite());
    let most = finite.fold(f64::MIN_POSITIVE, f64::max);
    let mut drawn = String::new();
    let mut y = 2.0 * GAP_PX + 2.0 * BAR_PX;
    let mut x = LABEL_PX;
    text(&mut drawn, LABEL_PX, GAP_PX + 2.0, "start", title);
    for (name, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        rect(&mut drawn, (x, BAR_PX + GAP_PX), (10.0, 10.0), colour);
        text(&mut drawn, x + 14.0, BAR_PX + GAP_PX + 9.0, "start", name);
        x += 34.0 + 6.6 * name.len() as f64;
    }
    for group in &groups {
        let middle = y + BAR_PX * group.values.len() as f64 / 2.0 + 4.0;
        text(&mut drawn, LABEL_PX - 8.0, middle, "end", &group.name);
        for (value, colour) in group.values.iter().zip(COLOURS.iter().cycle()) {
            // What never ends fills the plot.
            let length = (WIDTH_PX - LABEL_PX - 70.0) * (value / most).min(1.0);
            rect(&mut drawn, (LABEL_PX, y), (length, BAR_PX - 2.0), colour);
            text(&mut drawn, LABEL_PX + length + 4.0, y + BAR_PX - 4.0, "start", &number(*value));
            y += BAR_PX;
        }
        y += GAP_PX;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH_PX} {y}\" width=\"{WIDTH_PX}\" height=\"{y}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n{drawn}</svg>\n"
    )
}

fn rect(drawn: &mut String, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
    let _ = writeln!(
        drawn,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
    );
}

fn text(drawn: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(drawn, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#7a8088\">{words}</text>");
}

/// A value as short as it may be read.
fn number(value: f64) -> String {
    if value.is_infinite() {
        "∞".to_owned()
    } else if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_plot_and_names_are_escaped() {
        let group = |name: &str, values: &[f64]| Bar { name: name.into(), values: values.to_vec() };
        let svg = bars("a < b", &["one", "two"], [group("x", &[1.0, 2.0]), group("y & z", &[4.0, 0.0])]);
        assert!(svg.contains("a &lt; b") && svg.contains("y &amp; z"));
        let never = bars("a", &["one"], [group("x", &[2.0]), group("y", &[f64::INFINITY])]);
        assert!(never.contains("∞") && never.matches("width=\"520.0\"").count() == 2, "{never}");
        assert!(svg.contains("width=\"520.0\"") && svg.contains("width=\"260.0\""), "{svg}");
    }
}
