//! Switches, texts, numbers, sizes and times.

use std::time::Duration;

use super::{BadValue, Setting, Size};

impl Setting for bool {
    const FORM: &'static str = "`on` or `off`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" => Ok(true),
            "off" | "false" | "no" => Ok(false),
            _ => Err(BadValue::not::<Self>(text)),
        }
    }
    fn show(&self) -> String {
        if *self { "on" } else { "off" }.to_owned()
    }
}

impl Setting for String {
    const FORM: &'static str = "text";
    fn parse(text: &str) -> Result<Self, BadValue> {
        Ok(text.to_owned())
    }
    fn show(&self) -> String {
        self.clone()
    }
}

impl Setting for u32 {
    const FORM: &'static str = "a whole number, 0 or more";
    fn parse(text: &str) -> Result<Self, BadValue> {
        text.parse().map_err(|_| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for f64 {
    const FORM: &'static str = "a number";
    fn parse(text: &str) -> Result<Self, BadValue> {
        text.parse().ok().filter(|n: &f64| n.is_finite()).ok_or_else(|| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for uuid::Uuid {
    const FORM: &'static str = "a UUID";
    fn parse(text: &str) -> Result<Self, BadValue> {
        uuid::Uuid::parse_str(text).map_err(|_| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for Size {
    const FORM: &'static str = "a size such as `8k`, `1m` or a number of bytes";
    fn parse(text: &str) -> Result<Self, BadValue> {
        let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
            Some(i) => text.split_at(i),
            None => (text, ""),
        };
        let factor = match unit {
            "" => 1,
            "k" | "K" => 1 << 10,
            "m" | "M" => 1 << 20,
            "g" | "G" => 1 << 30,
            _ => return Err(BadValue::not::<Self>(text)),
        };
        let number: Option<u64> = digits.parse().ok();
        number.and_then(|n| n.checked_mul(factor)).map(Size).ok_or_else(|| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        match self.0 {
            0 => "0".to_owned(),
            n if n.is_multiple_of(1 << 30) => format!("{}g", n >> 30),
            n if n.is_multiple_of(1 << 20) => format!("{}m", n >> 20),
            n if n.is_multiple_of(1 << 10) => format!("{}k", n >> 10),
            n => n.to_string(),
        }
    }
}

impl Setting for Duration {
    const FORM: &'static str = "a time such as `60`, `500ms`, `1h 30m`; seconds if it has no unit";
    fn parse(text: &str) -> Result<Self, BadValue> {
        parse_time(text).ok_or_else(|| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        let millis = self.as_millis();
        if millis.is_multiple_of(1000) { self.as_secs().to_string() } else { format!("{millis}ms") }
    }
}

/// Parses a time: a number of seconds (fractions allowed), or parts with units `ms s m h d w M y`, as in `1h 30m`.
pub fn parse_time(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (digits, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, tail) = tail.split_at(tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len()));
        let number: u64 = digits.parse().ok()?;
        let seconds = match unit {
            "ms" => 0,
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            "M" => 2_592_000,
            "y" => 31_536_000,
            _ => return None,
        };
        let part = if unit == "ms" {
            Duration::from_millis(number)
        } else {
            Duration::from_secs(number.checked_mul(seconds)?)
        };
        total = total.checked_add(part)?;
        rest = tail.trim_start();
    }
    Some(total)
}
