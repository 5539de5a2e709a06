//! Draws the headline figures as an SVG bar chart.
//!
//! It is written for the README: at 830 pixels all text has at least 18, and it has a background of its own, light or dark
//! as the reader's system, because a page's theme is not known to an image.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use crate::{
    figure::digits,
    headline::{CONTENDERS, HEADLINES, Headline, LATENCY_MS},
    scenario::Contender,
    summary::Summary,
};

const WIDTH: u32 = 830;
const MARGIN: u32 = 28;
/// The space to the right of the longest bar, for its value.
const VALUE_WIDTH: u32 = 116;
const BAR_HEIGHT: u32 = 28;
const BAR_STEP: u32 = 34;

/// Colours that colour-blind people can distinguish (Okabe and Ito, "Color Universal Design"), lighter on dark.
const STYLE: &str = "text{font-family:-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}
.title{font-size:25px;font-weight:600}.text{font-size:20px;font-weight:400}.value{font-size:21px;font-weight:600}
.note{font-size:18px}.muted{fill:#59636e}
.page{fill:#fff;stroke:#d1d9e0}.handler{fill:#d55e00}.python{fill:#0072b2}.baseline{fill:#848d97}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.muted{fill:#9198a1}.page{fill:#0d1117;stroke:#3d444d}
.handler{fill:#f0803c}.python{fill:#56b4e9}.baseline{fill:#9198a1}}";

/// Draws the headline figures; a figure that was not measured has no bar.
///
/// # Errors
/// None of a group's figures was measured.
pub(crate) fn draw(summary: &Summary) -> Result<String> {
    let mut shapes = legend();
    let mut spoken = Vec::new();
    let mut top = 82;
    for headline in HEADLINES {
        let Headline { title, detail, .. } = headline;
        shapes += &text(
            MARGIN,
            top + 22,
            "title",
            &format!("{title}<tspan class=\"text muted\" dx=\"10\">{detail}</tspan>"),
        );
        top += 38;
        let bars = bars(summary, headline)?;
        let most = bars.iter().map(|bar| bar.milliseconds).fold(0.0, f64::max);
        for bar in &bars {
            let width = f64::from(WIDTH - 2 * MARGIN - VALUE_WIDTH) * bar.milliseconds / most;
            let width = width.max(2.0);
            let class = class(bar.contender);
            // Writing to a string cannot fail.
            let _ = writeln!(
                shapes,
                "<rect class=\"{class}\" x=\"{MARGIN}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\" rx=\"2\"/>"
            );
            let value = shown(bar.milliseconds, most);
            let _ = writeln!(
                shapes,
                "<text class=\"value\" x=\"{:.1}\" y=\"{}\">{value}</text>",
                f64::from(MARGIN) + width + 8.0,
                top + 21
            );
            spoken.push(format!("{title}, {}: {value}", name(bar.contender)));
            top += BAR_STEP;
        }
        top += 18;
    }
    for note in notes() {
        top += 27;
        shapes += &text(MARGIN, top, "note muted", &note);
    }
    let height = top + 24;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\">\n<title>Performance compared with Python and a baseline</title>\n<desc>{}.</desc>\n\
         <style>{STYLE}</style>\n\
         <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n{shapes}</svg>\n",
        spoken.join("; "),
        WIDTH - 1,
        height - 1
    ))
}

struct Bar {
    contender: Contender,
    milliseconds: f64,
}

fn bars(summary: &Summary, headline: Headline) -> Result<Vec<Bar>> {
    let bars: Vec<Bar> = CONTENDERS
        .into_iter()
        .filter_map(|contender| {
            let spread = summary.figure(headline.scenario, contender, headline.figure)?;
            Some(Bar {
                contender,
                milliseconds: spread.median,
            })
        })
        .filter(|bar| bar.milliseconds > 0.0)
        .collect();
    ensure!(!bars.is_empty(), "{} was not measured", headline.title);
    Ok(bars)
}

fn legend() -> String {
    let mut shapes = String::new();
    for (contender, left) in CONTENDERS.into_iter().zip([MARGIN, 218, 344]) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            shapes,
            "<rect class=\"{}\" x=\"{left}\" y=\"30\" width=\"20\" height=\"20\" rx=\"2\"/>",
            class(contender)
        );
        shapes += &text(left + 28, 47, "text", name(contender));
    }
    shapes
        + &text(
            WIDTH - MARGIN,
            47,
            "text muted\" text-anchor=\"end",
            "less is better",
        )
}

fn notes() -> [String; 3] {
    [
        format!("STS and S3 are simulated on the same machine, with {LATENCY_MS} ms of latency."),
        "Python keeps its boto3 clients and sessions; it lists accounts in 20 threads.".to_owned(),
        "Baseline: a minimal Rust function; same requests, no SDK, TLS or signatures.".to_owned(),
    ]
}

fn text(x: u32, y: u32, class: &str, content: &str) -> String {
    format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{content}</text>\n")
}

fn name(contender: Contender) -> &'static str {
    match contender {
        Contender::Handler => "This function",
        Contender::Baseline => "Baseline",
        Contender::Python | Contender::PythonPool | Contender::TunedPython => "Python",
    }
}

fn class(contender: Contender) -> &'static str {
    match contender {
        Contender::Handler => "handler",
        Contender::Baseline => "baseline",
        Contender::Python | Contender::PythonPool | Contender::TunedPython => "python",
    }
}

/// A value in the unit of its group, in which `most` is the greatest.
fn shown(milliseconds: f64, most: f64) -> String {
    if most < 1_000.0 {
        format!("{} ms", digits(milliseconds))
    } else {
        format!("{} s", digits(milliseconds / 1_000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_one_unit() {
        assert_eq!(shown(45.3, 452.0), "45.3 ms");
        assert_eq!(shown(707.0, 22_703.0), "0.707 s");
        assert_eq!(shown(22_703.0, 22_703.0), "22.7 s");
    }

    #[test]
    fn notes_fit_the_width() {
        for note in notes() {
            // Half of the font size is a wide average.
            assert!(note.len() * 9 <= (WIDTH - 2 * MARGIN) as usize, "{note}");
        }
    }
}
