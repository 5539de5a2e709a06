//! A summary as a picture: cold start, warm call, memory, and many accounts.

use std::ops::Range;

use anyhow::{Result, anyhow, ensure};
use plotters::{
    coord::{
        Shift,
        ranged1d::{DefaultFormatting, KeyPointHint},
        types::RangedCoordf64,
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    figure::{Figure, digits},
    scenario::{Contender, Scenario, Work},
    summary::Summary,
};

const WIDTH: u32 = 1_120;
const HEIGHT: u32 = 780;
const FONT: &str = "sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// All four, two by two.
///
/// # Errors
/// There is nothing to draw.
pub(crate) fn whole(summary: &Summary) -> Result<String> {
    drawn((WIDTH, HEIGHT), |area| {
        let panels = area.split_evenly((2, 2));
        let [cold, warm, memory, accounts] = &panels[..] else {
            return Err(anyhow!("four panels"));
        };
        self::cold(summary, cold)?;
        self::warm(summary, warm)?;
        self::memory(summary, memory)?;
        self::accounts(summary, accounts)
    })
}

/// Each of the four by itself, with a name for its file.
///
/// # Errors
/// There is nothing to draw.
pub(crate) fn single(summary: &Summary) -> Result<Vec<(&'static str, String)>> {
    type Panel = fn(&Summary, &Area<'_>) -> Result<()>;
    let panels: [(&str, Panel); 4] = [
        ("cold", cold),
        ("warm", warm),
        ("memory", memory),
        ("accounts", accounts),
    ];
    panels
        .into_iter()
        .map(|(name, panel)| {
            let picture = drawn((WIDTH / 2, HEIGHT / 2), |area| panel(summary, area))?;
            Ok((name, picture))
        })
        .collect()
}

fn cold(summary: &Summary, area: &Area<'_>) -> Result<()> {
    let title = "Cold start: process start to first answer (ms, log scale)";
    bars(area, title, Figure::Cold, Scale::Logarithmic, summary)
}

fn warm(summary: &Summary, area: &Area<'_>) -> Result<()> {
    let title = "Warm call, median (ms, log scale)";
    bars(area, title, Figure::WarmP50, Scale::Logarithmic, summary)
}

fn memory(summary: &Summary, area: &Area<'_>) -> Result<()> {
    bars(
        area,
        "Peak RSS (MB)",
        Figure::Memory,
        Scale::Linear,
        summary,
    )
}

/// How values lie on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Logarithmic => value.log10(),
        }
    }

    fn value(self, place: f64) -> f64 {
        match self {
            Self::Linear => place,
            Self::Logarithmic => 10_f64.powf(place),
        }
    }

    /// The axis for values from `least` to `most`.
    fn axis(self, least: f64, most: f64) -> Axis {
        let (from, to, step) = match self {
            Self::Linear => {
                let power = 10_f64.powf(most.log10().floor());
                let step = if most < 3.0 * power {
                    power / 2.0
                } else {
                    power
                };
                (0.0, most * 1.12, step)
            }
            Self::Logarithmic => (least.log10().floor(), most.log10() + 0.35, 1.0),
        };
        let marks = (0..=24).map(|count| from + f64::from(count) * step);
        Axis {
            from,
            to,
            marks: marks.filter(|mark| *mark <= to).collect(),
        }
    }
}

/// An axis with marks where we want them: plotters chooses them, and its own way around that leaves no labels.
#[derive(Debug, Clone)]
struct Axis {
    from: f64,
    to: f64,
    marks: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

/// A group of bars for each scenario with one account, a bar for each contender.
fn bars(
    area: &Area<'_>,
    title: &str,
    figure: Figure,
    scale: Scale,
    summary: &Summary,
) -> Result<()> {
    /// A group is as wide as 1; its bars take most of it.
    const WIDTH: f64 = 0.21;
    let scenarios: Vec<Scenario> = summary
        .scenarios()
        .into_iter()
        .filter(|scenario| matches!(scenario.work, Work::Buckets(_)))
        .collect();
    let contenders = Contender::all(Work::Buckets(0));
    let of = |scenario: Scenario, contender| {
        Some(summary.figure(scenario, contender, figure)?.median).filter(|value| *value > 0.0)
    };
    let values: Vec<f64> = scenarios
        .iter()
        .flat_map(|scenario| {
            contenders
                .iter()
                .filter_map(|contender| of(*scenario, *contender))
        })
        .collect();
    let most = values.iter().copied().fold(0.0, f64::max);
    let least = values.iter().copied().fold(most, f64::min);
    ensure!(least > 0.0, "{title}: there is nothing to draw");
    let area = heading(area, title, Work::Buckets(0))?;
    let vertical = scale.axis(least, most);
    let bottom = vertical.from;
    let groups: Vec<f64> = (0..scenarios.len())
        .map(|group| float(group) + 0.5)
        .collect();
    let mut chart = ChartBuilder::on(&area)
        .margin(14)
        .x_label_area_size(26)
        .y_label_area_size(52)
        .build_cartesian_2d(
            Axis {
                from: 0.0,
                to: float(scenarios.len()),
                marks: groups,
            },
            vertical,
        )
        .map_err(fault)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_label_style((FONT, 12))
        .y_label_style((FONT, 11))
        .x_label_formatter(&|place| {
            let scenario = scenarios
                .iter()
                .enumerate()
                .find(|(group, _)| (float(*group) + 0.5 - place).abs() < 0.1);
            scenario.map_or_else(String::new, |(_, scenario)| scenario.to_string())
        })
        .y_label_formatter(&|place| axis_label(scale.value(*place)))
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .draw()
        .map_err(fault)?;
    for (slot, contender) in contenders.iter().enumerate() {
        let of = |group: usize, scenario: &Scenario| {
            let left = float(group) + 0.08 + float(slot) * WIDTH;
            Some((left, of(*scenario, *contender)?))
        };
        let bars: Vec<(f64, f64)> = scenarios
            .iter()
            .enumerate()
            .filter_map(|(group, scenario)| of(group, scenario))
            .collect();
        let colour = colour(*contender);
        let shapes = bars.iter().map(|(left, value)| {
            let corners = [
                (*left + 0.01, bottom),
                (left + WIDTH - 0.01, scale.place(*value)),
            ];
            Rectangle::new(corners, colour.filled())
        });
        chart.draw_series(shapes).map_err(fault)?;
        let labels = bars.iter().map(|(left, value)| {
            let style = (FONT, 10)
                .into_text_style(&area)
                .pos(Pos::new(HPos::Center, VPos::Bottom));
            EmptyElement::at((left + WIDTH / 2.0, scale.place(*value)))
                + Text::new(digits(*value), (0, -2), style)
        });
        chart.draw_series(labels).map_err(fault)?;
    }
    Ok(())
}

/// The time of the first call by the number of accounts, at the larger latency: a line for each contender. Where more are
/// listed at a time than elsewhere, the time would not belong to the line.
fn accounts(summary: &Summary, area: &Area<'_>) -> Result<()> {
    const SCALE: Scale = Scale::Logarithmic;
    let scenarios: Vec<Scenario> = summary
        .scenarios()
        .into_iter()
        .filter(|scenario| {
            matches!(scenario.work, Work::Accounts(_))
                && scenario.concurrency() == Scenario::accounts(1, 0).concurrency()
        })
        .collect();
    let latency = scenarios
        .iter()
        .map(|scenario| scenario.latency_ms)
        .max()
        .unwrap_or(0);
    let of = |contender| -> Vec<(f64, f64)> {
        let scenarios = scenarios
            .iter()
            .filter(|scenario| scenario.latency_ms == latency);
        scenarios
            .filter_map(|scenario| {
                let value = summary.figure(*scenario, contender, Figure::Cold)?.median;
                Some((f64::from(scenario.account_count()), value))
            })
            .collect()
    };
    let contenders = Contender::all(Work::Accounts(0));
    let lines: Vec<(Contender, Vec<(f64, f64)>)> = contenders
        .iter()
        .map(|contender| (*contender, of(*contender)))
        .collect();
    let all = || lines.iter().flat_map(|(_, line)| line);
    let most = all().map(|point| point.1).fold(0.0, f64::max);
    let least = all().map(|point| point.1).fold(most, f64::min);
    let widest = all().map(|point| point.0).fold(0.0, f64::max);
    ensure!(
        least > 0.0 && widest > 0.0,
        "many accounts: there is nothing to draw"
    );
    let title =
        format!("Start to first answer by accounts, {latency} ms of latency (ms, log scales)");
    let area = heading(area, &title, Work::Accounts(0))?;
    let mut chart = ChartBuilder::on(&area)
        .margin(14)
        .x_label_area_size(26)
        .y_label_area_size(52)
        .build_cartesian_2d(
            Axis {
                from: -0.1,
                to: SCALE.place(widest) + 0.1,
                marks: vec![0.0, 1.0, 2.0, 3.0],
            },
            SCALE.axis(least, most),
        )
        .map_err(fault)?;
    chart
        .configure_mesh()
        .x_label_style((FONT, 12))
        .y_label_style((FONT, 11))
        .x_label_formatter(&|place| axis_label(SCALE.value(*place)))
        .y_label_formatter(&|place| axis_label(SCALE.value(*place)))
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .draw()
        .map_err(fault)?;
    for (contender, line) in lines {
        let colour = colour(contender);
        let points: Vec<(f64, f64)> = line
            .into_iter()
            .map(|(count, value)| (SCALE.place(count), SCALE.place(value)))
            .collect();
        let dots = points
            .iter()
            .map(|point| Circle::new(*point, 3, colour.filled()));
        chart.draw_series(dots).map_err(fault)?;
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))
            .map_err(fault)?;
    }
    Ok(())
}

/// Draws a title and, below it, whose colour is which; what is left of the area.
fn heading<'a>(area: &Area<'a>, title: &str, work: Work) -> Result<Area<'a>> {
    /// Pixels to a letter, about: which font will be used is not known.
    const LETTER: f64 = 5.3;
    const SAMPLE: i32 = 11;
    const GAP: i32 = 10;
    let (head, rest) = area.split_vertically(50);
    let (width, _) = head.dim_in_pixel();
    let middle = i32::try_from(width / 2).unwrap_or(0);
    let style = (FONT, 15)
        .into_text_style(&head)
        .pos(Pos::new(HPos::Center, VPos::Top));
    head.draw(&Text::new(title, (middle, 8), style))
        .map_err(fault)?;
    let entries: Vec<(Contender, &str, i32)> = Contender::all(work)
        .iter()
        .map(|contender| {
            let title = contender.title(work);
            #[expect(clippy::cast_possible_truncation, reason = "some hundred pixels")]
            let letters = (float(title.len()) * LETTER) as i32;
            (*contender, title, SAMPLE + 5 + letters + GAP)
        })
        .collect();
    let all: i32 = entries.iter().map(|entry| entry.2).sum();
    let mut left = middle - (all - GAP) / 2;
    for (contender, title, width) in entries {
        let sample = [(left, 34), (left + SAMPLE, 34 + SAMPLE)];
        let sample = Rectangle::new(sample, colour(contender).filled());
        head.draw(&sample).map_err(fault)?;
        let style = (FONT, 11)
            .into_text_style(&head)
            .pos(Pos::new(HPos::Left, VPos::Center));
        let text = Text::new(title, (left + SAMPLE + 5, 34 + SAMPLE / 2), style);
        head.draw(&text).map_err(fault)?;
        left += width;
    }
    Ok(rest)
}

const GRID: RGBColor = RGBColor(222, 222, 222);
const AXIS: RGBColor = RGBColor(120, 120, 120);

/// Told apart by colour-blind people, too (Okabe and Ito, "Color Universal Design").
fn colour(contender: Contender) -> RGBColor {
    match contender {
        Contender::Handler => RGBColor(213, 94, 0),
        Contender::Python => RGBColor(0, 114, 178),
        Contender::PythonPool => RGBColor(0, 158, 115),
        Contender::TunedPython => RGBColor(86, 180, 233),
        Contender::Baseline => RGBColor(150, 150, 150),
    }
}

fn axis_label(value: f64) -> String {
    let text = digits(value);
    // Marks are round: `10.0` is `10`.
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if text.contains('.') {
        short.to_owned()
    } else {
        text
    }
}

fn drawn(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    area.fill(&WHITE).map_err(fault)?;
    draw(&area)?;
    area.present().map_err(fault)?;
    drop(area);
    Ok(text)
}

/// plotters' errors borrow from what they are about.
fn fault(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("Failed to draw: {error}")
}

#[expect(clippy::cast_precision_loss, reason = "a handful of groups")]
fn float(index: usize) -> f64 {
    index as f64
}
