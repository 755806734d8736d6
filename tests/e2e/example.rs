//! What `make run` serves and prints.

use gatewayctl::runtime::{Mock, Options};

use crate::rig::*;

#[tokio::test]
async fn the_requests_that_are_printed_get_what_is_said_of_them() {
    let root = env!("CARGO_MANIFEST_DIR");
    let script = std::fs::read_to_string(format!("{root}/scripts/try.sh")).unwrap();
    let token = script.lines().find_map(|line| line.strip_prefix("token=")).unwrap();
    let text = std::fs::read_to_string(format!("{root}/examples/kong.yml")).unwrap();
    let options = Options { mock: Mock::All, ..Options::default() };
    let rig = Rig::of_file_with(&text, options, &[plain()]);
    for (path, authorization, code) in [
        ("/api/v1/users", String::new(), 401),
        ("/api/v1/users/42", format!("Authorization: Bearer {token}\r\n"), 200),
        ("/api/v1/orders", format!("Authorization: Bearer {token}\r\n"), 200),
    ] {
        assert!(script.contains(&format!("http://$proxy{path}")), "{path} is not printed");
        let answer = rig
            .send(&format!(
                "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{authorization}\r\n"
            ))
            .await;
        assert_eq!(status(&answer), code, "{path}: {answer}");
    }
}
