//! Formats a summary as Markdown: the full report and the blocks in the documentation.

use std::fmt::Write as _;

use crate::{
    figure::{Figure, Unit, digits},
    headline::{HEADLINES, Headline, LATENCY_MS},
    scenario::{Contender, Scenario, Work},
    summary::{Spread, Summary},
};

const ALT_TEXT: &str = "Bar chart: cold start, warm invocation and 1,000 accounts, compared with Python and a baseline";

/// The full report.
pub(crate) fn whole(summary: &Summary) -> String {
    let mut text = "# Benchmark\n\n".to_owned();
    text += &conditions(summary);
    text += "\nEach figure is the median over its processes, with minimum and maximum in parentheses. The ratios compare \
             this function's medians with those of Python (boto3 clients for each call) and of the baseline (a minimal \
             Rust function with the same requests). CPU is user and system time.\n";
    for scenario in summary.scenarios() {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## {}\n\n", heading(scenario));
        text += &table(summary, scenario);
        text += &footing(summary, scenario);
    }
    if !summary.failures.is_empty() {
        text += "\n## Failures\n";
        for failure in &summary.failures {
            let _ = write!(text, "\n```\n{failure}\n```\n");
        }
    }
    text += "\n## Sizes\n\n";
    text += &sizes(summary);
    text
}

/// The README's block: the picture and the main figures, a line each.
pub(crate) fn in_brief(summary: &Summary) -> String {
    let mut text = format!(
        "![{ALT_TEXT}](docs/bench.svg)\n\nMedians with {LATENCY_MS} ms of latency to STS and S3; Python keeps its clients and \
         sessions:\n\n"
    );
    let memory = Headline {
        title: "Peak memory",
        detail: "10 buckets",
        figure: Figure::Memory,
        ..HEADLINES[0]
    };
    for headline in HEADLINES.into_iter().chain([memory]) {
        let Headline { title, detail, .. } = headline;
        let of = |contender| {
            summary
                .figure(headline.scenario, contender, headline.figure)
                .map_or_else(
                    || "–".to_owned(),
                    |spread| headline.figure.unit().show(spread.median),
                )
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "- {title} ({detail}): **{}**; Python {}, baseline {}",
            of(Contender::Handler),
            of(Contender::TunedPython),
            of(Contender::Baseline)
        );
    }
    text
}

const FOOTNOTE: &str = "\nMedians; a row's time in ms is the latency of STS and S3. Python lists 1,000 accounts one after the other, tuned \
             Python 20 at a time, this function and the baseline 64 at a time (256 with 10,000 accounts). The baseline is a \
             minimal Rust function with the same requests, without an SDK, TLS or signatures. Like this function and tuned \
             Python, it keeps sessions and connections, so that a warm call only sends a request to S3. ";

/// The block of the page on performance.
pub(crate) fn for_page(summary: &Summary) -> String {
    let mut text = format!("![{ALT_TEXT}](bench.svg)\n\n");
    let mut rows = vec![header(&[
        "",
        "this function",
        "Python",
        "Python, tuned",
        "baseline",
        "to Python",
        "to the baseline",
    ])];
    let near = |count| Scenario::buckets(count, 0);
    let far = |count| Scenario::buckets(count, 20);
    let many = Scenario::accounts(1_000, 20);
    let limit = many.limit().unwrap_or_default().as_millis();
    let very_many = Scenario::accounts(10_000, 20);
    let very_many_limit = very_many.limit().unwrap_or_default().as_millis();
    for (title, scenario, figure) in [
        ("cold start, 10 buckets, 0 ms", near(10), Figure::Cold),
        (
            "warm invocation, 10 buckets, 0 ms",
            near(10),
            Figure::WarmP50,
        ),
        (
            "warm invocation, 10 buckets, 20 ms",
            far(10),
            Figure::WarmP50,
        ),
        (
            "cold start, 10,000 buckets, 0 ms",
            near(10_000),
            Figure::Cold,
        ),
        (
            "warm invocation, 10,000 buckets, 0 ms",
            near(10_000),
            Figure::WarmP50,
        ),
        ("peak RSS, 10 buckets", near(10), Figure::Memory),
        ("peak RSS, 10,000 buckets", near(10_000), Figure::Memory),
        (
            &format!("1,000 accounts, 20 ms, cold (at least {limit} ms)"),
            many,
            Figure::Cold,
        ),
        (
            "1,000 accounts, CPU per account",
            many,
            Figure::ProcessorPerAccount,
        ),
        ("1,000 accounts, peak RSS", many, Figure::Memory),
        (
            &format!("10,000 accounts, 20 ms, cold (at least {very_many_limit} ms)"),
            very_many,
            Figure::Cold,
        ),
        ("10,000 accounts, peak RSS", very_many, Figure::Memory),
    ] {
        let of = |contender| summary.figure(scenario, contender, figure);
        if of(Contender::Handler).is_none() {
            // Older figures do not have it.
            continue;
        }
        let median = |contender| {
            let (Some(spread), Some(result)) = (of(contender), summary.result(scenario, contender))
            else {
                return "–".to_owned();
            };
            let single = if result.rounds == 1 { " (1 run)" } else { "" };
            figure.unit().show(spread.median) + single
        };
        let mut cells = vec![title.to_owned()];
        cells.extend(
            [
                Contender::Handler,
                Contender::Python,
                Contender::TunedPython,
                Contender::Baseline,
            ]
            .map(median),
        );
        cells.extend(ratios(of));
        rows.push(row(&cells));
    }
    rows.extend(size_row(summary));
    text += &rows.concat();
    text += FOOTNOTE;
    text += &conditions(summary);
    text
}

/// The row of the executable and the zip file.
fn size_row(summary: &Summary) -> Option<String> {
    let ours = summary.sizes(Contender::Handler)?;
    let baseline = summary.sizes(Contender::Baseline)?;
    let show = |executable, zip| format!("{} / {} MB", digits(executable), digits(zip));
    Some(row(&[
        "executable / zip".to_owned(),
        show(ours.executable, ours.zip),
        "–".to_owned(),
        "–".to_owned(),
        show(baseline.executable, baseline.zip),
        "–".to_owned(),
        ratio(ours.executable, baseline.executable),
    ]))
}

/// The machine and the versions.
fn conditions(summary: &Summary) -> String {
    let machine = &summary.machine;
    let versions: Vec<String> = summary
        .versions
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let quick = if summary.quick {
        " This was a quick run; times are rough."
    } else {
        ""
    };
    let busy = if machine.is_busy() {
        format!(
            " The machine's load was {:.1} at the start; times may be too long.",
            machine.load
        )
    } else {
        String::new()
    };
    format!(
        "Measured on {} ({} cores, {} GB), Linux {}; {}.{quick}{busy}\n",
        machine.processor,
        machine.cores,
        machine.memory_gb,
        machine.linux,
        versions.join(", ")
    )
}

fn heading(scenario: Scenario) -> String {
    format!("{scenario} of latency")
}

/// A scenario's table, with a row per figure.
fn table(summary: &Summary, scenario: Scenario) -> String {
    let contenders: Vec<Contender> = Contender::all(scenario.work)
        .iter()
        .copied()
        .filter(|contender| summary.result(scenario, *contender).is_some())
        .collect();
    let mut titles = vec![""];
    titles.extend(
        contenders
            .iter()
            .map(|contender| contender.title(scenario.work)),
    );
    titles.extend(["to Python", "to the baseline"]);
    let mut text = header(&titles);
    for figure in Figure::OF_PROCESS {
        let of = |contender| summary.figure(scenario, contender, figure);
        if contenders.iter().all(|contender| of(*contender).is_none()) {
            continue;
        }
        let mut cells = vec![figure.title().to_owned()];
        cells.extend(contenders.iter().map(|contender| {
            of(*contender).map_or_else(|| "–".to_owned(), |spread| shown(figure.unit(), spread))
        }));
        cells.extend(ratios(of));
        text += &row(&cells);
    }
    text
}

/// The number of processes and calls behind a scenario's table.
fn footing(summary: &Summary, scenario: Scenario) -> String {
    let counts: Vec<String> = Contender::all(scenario.work)
        .iter()
        .filter_map(|contender| summary.result(scenario, *contender))
        .map(|result| {
            format!(
                "{} {} and {}",
                result.contender.title(scenario.work),
                result.rounds,
                result.warm_calls
            )
        })
        .collect();
    let mut text = format!(
        "\nProcesses (including those with only a first call) and warm calls: {}.",
        counts.join(", ")
    );
    if let Some(limit) = scenario.limit() {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            " Latency and concurrency alone account for {} ms of the function's and the baseline's first call.",
            limit.as_millis()
        );
    }
    if let Work::Accounts(_) = scenario.work {
        text += " Each account has 10 buckets.";
    }
    text + "\n"
}

fn sizes(summary: &Summary) -> String {
    let mut text = header(&["", "this function", "baseline", "to the baseline"]);
    if let (Some(ours), Some(baseline)) = (
        summary.sizes(Contender::Handler),
        summary.sizes(Contender::Baseline),
    ) {
        for (figure, ours, baseline) in [
            (Figure::Executable, ours.executable, baseline.executable),
            (Figure::Zip, ours.zip, baseline.zip),
        ] {
            let show = |value| figure.unit().show(value);
            text += &row(&[
                figure.title().to_owned(),
                show(ours),
                show(baseline),
                ratio(ours, baseline),
            ]);
        }
    }
    text
}

/// The ratios of this function's median to those of Python and the baseline.
fn ratios(of: impl Fn(Contender) -> Option<Spread>) -> [String; 2] {
    [Contender::Python, Contender::Baseline].map(|other| {
        match (of(Contender::Handler), of(other)) {
            (Some(ours), Some(other)) => ratio(ours.median, other.median),
            _ => "–".to_owned(),
        }
    })
}

fn ratio(ours: f64, other: f64) -> String {
    if other == 0.0 {
        // Both are 0, such as requests that neither sends.
        "–".to_owned()
    } else {
        format!("{} ×", digits(ours / other))
    }
}

fn shown(unit: Unit, spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    let least = unit.show_bare(min);
    let most = unit.show_bare(max);
    if least == most {
        unit.show(median)
    } else {
        format!("{} ({least}–{most})", unit.show(median))
    }
}

fn header(titles: &[&str]) -> String {
    let titles: Vec<String> = titles.iter().map(|&title| title.to_owned()).collect();
    let line = format!("|---|{}\n", "--:|".repeat(titles.len() - 1));
    row(&titles) + &line
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_divide_this_function_by_the_others() {
        assert_eq!(ratio(1.0, 4.0), "0.250 ×");
        assert_eq!(ratio(5.0, 2.5), "2.00 ×");
        assert_eq!(ratio(0.0, 0.0), "–");
    }
}
