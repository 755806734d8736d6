//! What must hold for query strings, multipart forms and authorities.

use gatewayctl::http_codec::{
    authority,
    multipart::{self, Mode, Part},
    urlencoded,
};

/// Arguments are what another parser finds, those without a name apart; taking some out leaves the others as they were
/// written, and what is written is read again.
pub fn urlencoded(bytes: &[u8]) {
    let arguments: Vec<_> = urlencoded::arguments(bytes).collect();
    let read: Vec<_> =
        arguments.iter().map(|a| (a.name_text(), a.value_text().unwrap_or_default())).collect();
    let expected: Vec<_> = form_urlencoded::parse(bytes).filter(|(name, _)| !name.is_empty()).collect();
    assert_eq!(read, expected);

    assert_eq!(urlencoded::remove(bytes, |_| false), None);
    if let Some(first) = arguments.first().map(|argument| argument.name()) {
        let rest = urlencoded::remove(bytes, |name| *name == *first).expect("it is there");
        let kept: Vec<_> = arguments.iter().filter(|argument| !argument.is(&first)).copied().collect();
        assert_eq!(urlencoded::arguments(&rest).collect::<Vec<_>>(), kept);
    }

    let mut written = String::new();
    for argument in &arguments {
        urlencoded::append(&mut written, &argument.name(), argument.value().as_deref());
    }
    let decoded = |text| urlencoded::arguments(text).map(|a| (a.name(), a.value())).collect::<Vec<_>>();
    assert_eq!(decoded(written.as_bytes()), decoded(bytes));
}

/// Parts lie in the body one after another; a strict parser finds what a lenient one does, or nothing; what is written
/// is read again.
pub fn multipart(bytes: &[u8]) {
    if let Ok(boundary) = multipart::strict_boundary(bytes) {
        assert_eq!(multipart::boundary(bytes), Ok(boundary));
    }
    let Ok(parts) = multipart::parts(bytes, b"b", Mode::Lenient) else {
        assert!(multipart::parts(bytes, b"b", Mode::Strict).is_err());
        return;
    };
    let mut end = 0;
    for part in &parts {
        assert!(end <= part.span.start && part.span.end <= bytes.len());
        end = part.span.end;
    }
    if let Ok(strict) = multipart::parts(bytes, b"b", Mode::Strict) {
        assert_eq!(strict, parts);
    }
    let written = multipart::write(parts.iter().map(|part| (part.headers, part.value)), b"b");
    let same = |part: &Part<'_>, other: &Part<'_>| {
        (part.name, part.headers, part.value) == (other.name, other.headers, other.value)
    };
    match multipart::parts(&written, b"b", Mode::Lenient) {
        Ok(again) => assert!(
            again.len() == parts.len() && again.iter().zip(&parts).all(|(a, b)| same(a, b)),
            "{}",
            String::from_utf8_lossy(&written)
        ),
        Err(_) => assert!(parts.is_empty()),
    }
}

/// Host and port are the authority again, and a host without brackets has them again.
pub fn authority(text: &str) {
    let (host, port) = authority::split(text);
    assert_eq!(port.map_or(host.to_owned(), |port| format!("{host}:{port}")), text);
    assert_eq!(authority::host(text.as_bytes()), host.as_bytes());
    if let Ok(ip) = text.parse::<std::net::Ipv6Addr>() {
        assert_eq!(authority::split_address(text), (text, None), "{ip}");
        let bracketed = authority::with_brackets(text);
        assert_eq!(authority::without_brackets(&bracketed), text);
        assert_eq!(authority::split_address(&format!("{bracketed}:80")), (text, Some("80")));
    }
}
