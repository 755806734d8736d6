//! The members of a token's header and payload that the plugin evaluates. All others are skipped without being
//! stored.

use std::{borrow::Cow, fmt, time::Duration};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::TimeClaim;

/// Value of a member, as far as it is evaluated.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClaimValue<'a> {
    /// Absent, or `false`.
    #[default]
    Absent,
    Text(Cow<'a, str>),
    Number(f64),
    /// A value of another type.
    Other,
}

impl ClaimValue<'_> {
    /// Returns this value, or `other` if it is absent.
    pub fn or(self, other: Self) -> Self {
        if self == ClaimValue::Absent { other } else { self }
    }
}

/// Evaluated members of a token's header or payload.
#[derive(Debug, Default)]
pub struct Claims<'a> {
    /// The claim that identifies the credential.
    pub key: ClaimValue<'a>,
    pub alg: ClaimValue<'a>,
    pub crit: ClaimValue<'a>,
    pub exp: ClaimValue<'a>,
    pub nbf: ClaimValue<'a>,
}

/// Errors of the time claims.
#[derive(Debug, Default)]
pub struct ClaimErrors(Vec<(&'static str, &'static str)>);

impl ClaimErrors {
    /// Converts the errors to an object of claim and error.
    pub fn json(self) -> serde_json::Value {
        let members = self.0.into_iter().map(|(claim, error)| (claim.to_owned(), error.into()));
        serde_json::Value::Object(members.collect())
    }
}

impl<'a> Claims<'a> {
    /// Parses a JSON object in which the claim `key` identifies the credential.
    ///
    /// # Errors
    /// If it is not a JSON object, or an evaluated member occurs twice.
    pub fn read(json: &'a [u8], key: &str) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let members = ClaimsSeed { key }.deserialize(&mut deserializer)?;
        deserializer.end().map(|()| members)
    }

    /// Verifies the time claims against the current time, and that `exp` does not exceed the maximum lifetime.
    ///
    /// # Errors
    /// The error of each claim that failed.
    pub fn verify_times(
        &self,
        claims: &[TimeClaim],
        maximum_expiration: f64,
        now: Duration,
    ) -> Result<(), ClaimErrors> {
        let now = now.as_secs() as f64;
        let mut errors = ClaimErrors::default();
        for claim in claims {
            let error = match (claim, self.time(*claim)) {
                (_, None) => Some("must be a number"),
                (TimeClaim::Exp, Some(exp)) => (exp <= now).then_some("token expired"),
                (TimeClaim::Nbf, Some(nbf)) => (nbf > now).then_some("token not valid yet"),
            };
            errors.0.extend(error.map(|error| (claim.name(), error)));
        }
        if errors.0.is_empty()
            && maximum_expiration > 0.0
            && self.time(TimeClaim::Exp).is_none_or(|exp| exp - now > maximum_expiration)
        {
            errors.0.push((TimeClaim::Exp.name(), "exceeds maximum allowed expiration"));
        }
        if errors.0.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn time(&self, claim: TimeClaim) -> Option<f64> {
        match (claim, &self.exp, &self.nbf) {
            (TimeClaim::Exp, ClaimValue::Number(n), _) | (TimeClaim::Nbf, _, ClaimValue::Number(n)) => {
                Some(*n)
            }
            _ => None,
        }
    }
}

impl TimeClaim {
    fn name(self) -> &'static str {
        match self {
            TimeClaim::Exp => "exp",
            TimeClaim::Nbf => "nbf",
        }
    }
}

struct ClaimsSeed<'k> {
    key: &'k str,
}

impl<'de> DeserializeSeed<'de> for ClaimsSeed<'_> {
    type Value = Claims<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Claims<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ClaimsSeed<'_> {
    type Value = Claims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims<'de>, A::Error> {
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        let mut members = Claims::default();
        let (mut seen_bits, mut has_key) = (0_u8, false);
        while let Some(Name(name)) = map.next_key()? {
            let (bit, slot) = match &*name {
                "alg" => (1, Some(&mut members.alg)),
                "crit" => (2, Some(&mut members.crit)),
                "exp" => (4, Some(&mut members.exp)),
                "nbf" => (8, Some(&mut members.nbf)),
                _ => (0, None),
            };
            let is_key = name == self.key;
            if seen_bits & bit != 0 || (is_key && has_key) {
                return Err(A::Error::custom("a member that stands twice"));
            }
            seen_bits |= bit;
            has_key |= is_key;
            if slot.is_none() && !is_key {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: ClaimValue<'de> = map.next_value()?;
            if is_key {
                members.key = value.clone();
            }
            if let Some(slot) = slot {
                *slot = value;
            }
        }
        Ok(members)
    }
}

impl<'de> Deserialize<'de> for ClaimValue<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;
        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = ClaimValue<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_bool<E>(self, truth: bool) -> Result<ClaimValue<'de>, E> {
                Ok(if truth { ClaimValue::Other } else { ClaimValue::Absent })
            }
            fn visit_i64<E>(self, n: i64) -> Result<ClaimValue<'de>, E> {
                Ok(ClaimValue::Number(n as f64))
            }
            fn visit_u64<E>(self, n: u64) -> Result<ClaimValue<'de>, E> {
                Ok(ClaimValue::Number(n as f64))
            }
            fn visit_f64<E>(self, n: f64) -> Result<ClaimValue<'de>, E> {
                Ok(ClaimValue::Number(n))
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<ClaimValue<'de>, E> {
                Ok(ClaimValue::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<ClaimValue<'de>, E> {
                Ok(ClaimValue::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<ClaimValue<'de>, E> {
                Ok(ClaimValue::Other)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ClaimValue<'de>, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(ClaimValue::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ClaimValue<'de>, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(ClaimValue::Other)
            }
        }
        deserializer.deserialize_any(ValueVisitor)
    }
}
