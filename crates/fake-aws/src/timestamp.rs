//! Formats and parses times as AWS does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `2026-11-22T15:04:05Z`.
pub(crate) fn iso_8601(time: SystemTime) -> String {
    let (year, month, day) = date(days(time));
    format!("{year:04}-{month:02}-{day:02}T{}Z", time_of_day(time))
}

/// `Sun, 22 Nov 2026 15:04:05 GMT`.
pub(crate) fn http_date(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let days = days(time);
    let (year, month, day) = date(days);
    let weekday = usize::try_from(days % 7).map_or("", |day| DAYS[day]);
    let month = usize::try_from(month - 1).map_or("", |month| MONTHS[month]);
    format!(
        "{weekday}, {day:02} {month} {year:04} {} GMT",
        time_of_day(time)
    )
}

/// Parses a signature's time, `20261122T150405Z`.
pub(crate) fn of_signature(text: &str) -> Option<SystemTime> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let time = number(9, 11)? * 3_600 + number(11, 13)? * 60 + number(13, 15)?;
    // The other way of the same method.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    Some(UNIX_EPOCH + Duration::from_secs(days * 86_400 + time))
}

fn seconds(time: SystemTime) -> u64 {
    let age = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    age.as_secs()
}

fn days(time: SystemTime) -> u64 {
    seconds(time) / 86_400
}

fn time_of_day(time: SystemTime) -> String {
    let rest = seconds(time) % 86_400;
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a number of days.
///
/// From days to a date by the method of Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms"
/// (`civil_from_days`).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(iso_8601(time), text);
            assert_eq!(of_signature(&text.replace(['-', ':'], "")), Some(time));
        }
        let time = of_signature("20000229T000000Z").unwrap();
        assert_eq!(http_date(time), "Tue, 29 Feb 2000 00:00:00 GMT");
    }
}
