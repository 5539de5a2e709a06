//! Checks the sizes and the request counts of a run, which noise cannot change. Times are reported only.

use crate::{
    figure::Figure,
    scenario::{Contender, Scenario, Work},
    summary::Summary,
};

/// The executable must be smaller than this, in MB.
const MAX_EXECUTABLE_MB: f64 = 7.5;

/// The zip must be smaller than this, in MB.
const MAX_ZIP_MB: f64 = 3.2;

/// Lists every size and count of the function that is out of bounds.
pub(crate) fn violations(summary: &Summary) -> Vec<String> {
    let mut violations = Vec::new();
    let scenarios = summary.scenarios();
    if let Some(sizes) = summary.sizes(Contender::Handler) {
        for (what, size, limit) in [
            ("executable", sizes.executable, MAX_EXECUTABLE_MB),
            ("zip", sizes.zip, MAX_ZIP_MB),
        ] {
            if size >= limit {
                violations.push(format!(
                    "{what}: {size:.2} MB, expected less than {limit} MB"
                ));
            }
        }
    }
    for scenario in scenarios {
        for (figure, expected) in expected(scenario) {
            let spread = summary.figure(scenario, Contender::Handler, figure);
            let Some(spread) = spread else {
                continue;
            };
            if !expected.holds(spread.min) || !expected.holds(spread.max) {
                let title = figure.title();
                violations.push(format!(
                    "{scenario}: {title}: {} to {}, expected {expected}",
                    spread.min, spread.max
                ));
            }
        }
    }
    violations
}

/// The expected value of a count.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Exactly(u32),
    AtMost(u32),
}

impl Expected {
    fn holds(self, value: f64) -> bool {
        match self {
            // The mean is exact if all calls had the same count.
            Self::Exactly(number) => (value - f64::from(number)).abs() < f64::EPSILON,
            Self::AtMost(number) => value <= f64::from(number),
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(number) => write!(f, "{number}"),
            Self::AtMost(number) => write!(f, "at most {number}"),
        }
    }
}

/// One session per account in the first call and none later; one page per account in every call (10,000 buckets fit one
/// page). The HTTP client may open a connection that it then does not need: at most one per request in flight.
fn expected(scenario: Scenario) -> Vec<(Figure, Expected)> {
    let accounts = scenario.account_count();
    let mut expected = vec![
        (Figure::ColdAssume, Expected::Exactly(accounts)),
        (Figure::ColdList, Expected::Exactly(accounts)),
        (Figure::WarmAssume, Expected::Exactly(0)),
        (Figure::WarmList, Expected::Exactly(accounts)),
    ];
    let at_once = accounts.min(scenario.concurrency());
    let warm = match scenario.work {
        Work::Buckets(_) => Expected::Exactly(0),
        Work::Accounts(_) => Expected::AtMost(at_once),
    };
    expected.extend([
        (Figure::ColdConnections, Expected::AtMost(2 * at_once)),
        (Figure::WarmConnections, warm),
    ]);
    expected
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        machine::Machine,
        summary::{ResultOf, Sizes, Spread},
    };

    /// A run of one scenario without violations.
    fn summary(scenario: Scenario) -> Summary {
        let always = |value: f64| Spread {
            median: value,
            min: value,
            max: value,
        };
        let accounts = f64::from(scenario.account_count());
        let figures = [
            (Figure::ColdAssume, accounts),
            (Figure::ColdList, accounts),
            (Figure::ColdConnections, 1.0),
            (Figure::WarmAssume, 0.0),
            (Figure::WarmList, accounts),
            (Figure::WarmConnections, 0.0),
        ];
        Summary {
            machine: Machine {
                processor: String::new(),
                cores: 2,
                memory_gb: 8,
                linux: String::new(),
                load: 0.0,
            },
            versions: BTreeMap::new(),
            quick: true,
            sizes: vec![Sizes {
                contender: Contender::Handler,
                executable: 6.0,
                zip: 3.0,
            }],
            failures: Vec::new(),
            results: vec![ResultOf {
                scenario,
                contender: Contender::Handler,
                rounds: 2,
                warm_calls: 10,
                figures: figures
                    .map(|(figure, value)| (figure, always(value)))
                    .into(),
            }],
        }
    }

    #[test]
    fn expected_counts_are_no_violation() {
        for scenario in [Scenario::buckets(10_000, 20), Scenario::accounts(1_000, 0)] {
            assert_eq!(violations(&summary(scenario)), [""; 0]);
        }
    }

    #[test]
    fn each_count_and_size_is_checked() {
        for (figure, value) in [
            (Figure::ColdAssume, 2.0),
            (Figure::ColdList, 2.0),
            (Figure::ColdConnections, 3.0),
            // One of the ten calls.
            (Figure::WarmAssume, 0.1),
            (Figure::WarmList, 1.1),
            (Figure::WarmConnections, 0.1),
        ] {
            let mut summary = summary(Scenario::buckets(10, 0));
            let spread = summary.results[0].figures.get_mut(&figure).unwrap();
            spread.max = value;
            let violations = violations(&summary);
            assert_eq!(violations.len(), 1, "{violations:?}");
            assert!(violations[0].contains(figure.title()), "{violations:?}");
        }
        let mut large = summary(Scenario::buckets(10, 0));
        large.sizes[0].executable = 7.5;
        large.sizes[0].zip = 3.2;
        assert_eq!(violations(&large).len(), 2);
    }

    #[test]
    fn connections_are_limited_by_the_concurrency() {
        let mut summary = summary(Scenario::accounts(100, 0));
        figures_of(&mut summary, Figure::ColdConnections).max = 70.0;
        figures_of(&mut summary, Figure::WarmConnections).max = 1.0;
        assert_eq!(violations(&summary), [""; 0]);
        figures_of(&mut summary, Figure::ColdConnections).max = 200.0;
        figures_of(&mut summary, Figure::WarmConnections).max = 100.0;
        assert_eq!(violations(&summary).len(), 2);
        figures_of(&mut summary, Figure::ColdConnections).max = 64.0;
        figures_of(&mut summary, Figure::WarmConnections).max = 0.0;
        figures_of(&mut summary, Figure::WarmAssume).max = 1.0;
        assert_eq!(violations(&summary).len(), 1);
    }

    fn figures_of(summary: &mut Summary, figure: Figure) -> &mut Spread {
        summary.results[0].figures.get_mut(&figure).unwrap()
    }
}
