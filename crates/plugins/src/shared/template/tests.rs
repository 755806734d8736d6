//! Comparison with Kong's rendering of the same templates.

use serde_json::json;
use smallvec::smallvec;

use super::{Env, Template, TemplateError, env::SharedValues, number_text};
use model::Ix;
use plugin::{Exchange, RouteMatch, testing::request};

fn exchange() -> Exchange {
    let headers = [("host", "a.test"), ("x-src", "v"), ("x-two", "1"), ("x-two", "2"), ("x-path", "/a/b/c")];
    let mut exchange = request("GET", "/items/42?q=a%20b&flag&t=1&t=2&n=7", &headers, "");
    let capture = |name: &str, text: &str| (name.into(), text.into());
    exchange.route_match = Some(RouteMatch {
        route: Ix::new(0),
        service: None,
        matched_len: 0,
        captures: smallvec![capture("0", "/items/42"), capture("1", "42"), capture("id", "42")],
    });
    exchange
        .extension_mut::<SharedValues>()
        .0
        .insert("user".to_owned(), json!({"name": "ann", "roles": ["a", "b"]}));
    exchange
}

fn render(template: &str) -> Result<String, String> {
    let exchange = exchange();
    let template = Template::compile(template).map_err(|error| error.to_string())?;
    let text = template.render(&Env::of(&exchange)).map_err(|error| error.reason)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[track_caller]
fn assert_renders(cases: &[(&str, &str)]) {
    for (template, text) in cases {
        assert_eq!(render(template).as_deref(), Ok(*text), "{template}");
    }
}

#[track_caller]
fn assert_fails(cases: &[(&str, &str)]) {
    for (template, error) in cases {
        assert_eq!(render(template).as_ref().map_err(String::as_str), Err(*error), "{template}");
    }
}

#[test]
fn a_dollar_without_balanced_parentheses_is_literal() {
    assert_renders(&[
        ("cost $5", "cost $5"),
        ("a$b", "a$b"),
        ("$(", "$("),
        ("$(('x')", "$(('x')"),
        ("$$('x')", "$x"),
        ("$( $('x')", "$( x"),
        ("#x", "#x"),
        ("$('$(uri_captures.user1)')", "$(uri_captures.user1)"),
    ]);
    assert!(Template::compile("plain $5").unwrap().constant().is_some());
}

#[test]
fn request_values_are_accessible() {
    assert_renders(&[
        ("$(headers.x_src) $(headers['X-Src']) $(headers['x-src'])", "v v v"),
        ("<$(query_params.q)>", "<a b>"),
        ("$(query_params['n'])", "7"),
        (
            "$(uri_captures.id)-$(uri_captures['id'])-$(uri_captures[1])-$(uri_captures[0])",
            "42-42-42-/items/42",
        ),
        ("$(uri_captures['1'])", ""),
        ("$(shared.user.name) $(shared.user.roles[2])", "ann b"),
        ("x$(headers['x-none'])y", "xy"),
        ("$(headers.host)", "a.test"),
    ]);
}

#[test]
fn repeated_values_are_tables() {
    assert_renders(&[
        (
            "$(type(headers.x_two) == \"table\" and headers['X-Two'][1] .. '-first' or headers.x_two)",
            "1-first",
        ),
        ("$(headers.x_two[2])$(headers.x_two[3])$(headers.x_two[0])", "2"),
        ("$(#headers.x_two) $(query_params.t[2])", "2 2"),
        ("$(query_params.t)", "1, 2"),
        ("$(query_params.flag) $(type(query_params.flag))", "true boolean"),
    ]);
}

#[test]
fn operator_precedence_is_that_of_lua() {
    assert_renders(&[
        ("$(headers.none or 'default')", "default"),
        ("$(headers.none and 1 or 2)", "2"),
        ("$(false)$(nil)", ""),
        ("$(1 + 2 * 3 ^ 2)", "19"),
        ("$(-2 ^ 2)", "-4"),
        ("$(2 ^ -1)", "0.5"),
        ("$(2 ^ 3 ^ 2)", "512"),
        ("$(-7 % 3) $(7 / 2) $(10 * uri_captures.id)", "2 3.5 420"),
        ("$(1 .. 2 .. 'x')", "12x"),
        ("$('a' .. 1 + 1)", "a2"),
        ("$(not nil == true)", "true"),
        ("$(1 < 2 and 'a' < 'b' and 2 >= 2 and 'x' ~= 'y')", "true"),
        ("$('1' == 1)", ""),
        ("$(#'abc' .. (#'de'))", "32"),
        ("$(0x10) $(1e3) $(.5) $(1e20) $(0.1)", "16 1000 0.5 1e+20 0.1"),
        ("$([[a]] .. [==[]]]==] .. '\\65\\x42\\n\\'')", "a]]AB\n'"),
    ]);
}

#[test]
fn string_functions_work_as_methods_and_by_name() {
    assert_renders(&[
        ("$(headers.host:gsub('%..*', ''))", "a"),
        ("$(headers.x_path:gsub('/(%a)', '<%1>'))", "<a><b><c>"),
        ("$(('abc'):gsub('', '-'))", "-a-b-c-"),
        ("$(('hello world'):gsub('o', '0', 1))", "hell0 world"),
        ("$(('a,b'):gsub(',', '%%'))", "a%b"),
        ("$(headers.x_path:sub(2, -3)) $(headers.x_path:sub(-1))", "a/b c"),
        ("$(('AbC'):lower())$(('x'):upper():rep(3))$(('ab'):reverse())", "abcXXXba"),
        ("$(headers.x_path:match('^/(%a)'))$(('k=v'):match('(%w+)=(%w+)'))", "ak"),
        ("$(('x'):match('y') or 'no') $(('abc'):find('c', 1, true)) $(('a.c'):find('.', 2, true))", "no 3 2"),
        ("$(string.format('%05.1f|%-4s|%+d|%x%%', 3.14159, 'ab', 5, 255))", "003.1|ab  |+5|ff%"),
        (
            "$(tostring(nil))$(tostring(12.0))$(tonumber('0x1F'))$(tonumber('z', 36))$(tonumber('x') or '-')",
            "nil123135-",
        ),
        ("$(('%d+'):len()) $(('A'):byte()) $(string.char(72, 105))", "3 65 Hi"),
        ("$(math.floor(3.7))$(math.max(1, 5, 2))$(math.ceil(1.2))", "352"),
        ("$(type 'x')", "string"),
    ]);
}

#[test]
fn patterns_match_as_in_lua() {
    assert_renders(&[
        ("$(('  trim  '):match('^%s*(.-)%s*$'))", "trim"),
        ("$(('f(a(b)c)d'):match('%b()'))", "(a(b)c)"),
        ("$(('THE (quick) fox'):find('%f[%a]%a+%f[%A]'))", "1"),
        ("$(('2024-01-02'):gsub('(%d+)-(%d+)-(%d+)', '%3.%2.%1'))", "02.01.2024"),
        ("$(('abab'):match('(ab)%1'))", "ab"),
        ("$(('x-y_z'):gsub('[^%w]', ''))$(('a]b'):match('[]]'))$(('a-b'):match('[a%-]+'))", "xyz]a-"),
        ("$(('color colour'):gsub('colou?r', 'c'))", "c c"),
        ("$(('abc'):match('()c'))", "3"),
        ("$(('aXb'):match('%u')) $(('0afz'):match('[a-f]+'))", "X af"),
    ]);
    assert_fails(&[
        ("$(('x'):match('\\40'))", "unfinished capture"),
        ("$(('x'):match('[a'))", "malformed pattern (missing ']')"),
        ("$(('x'):match('%'))", "malformed pattern (ends with '%')"),
        ("$(('x'):gsub('x', '%2'))", "invalid capture index"),
    ]);
}

#[test]
fn syntax_errors_have_luas_messages() {
    let refused = |template| match Template::compile(template) {
        Err(TemplateError::Syntax(why)) => why,
        other => panic!("{template}: {other:?}"),
    };
    for (template, why) in [
        ("$(uri_captures user2)", "')' expected near 'user2'"),
        ("$(shared.written = true)", "')' expected near '='"),
        ("$()", "unexpected symbol near ')'"),
        ("$(a +)", "unexpected symbol near ')'"),
        ("$(a.)", "'<name>' expected near ')'"),
        ("$(a[1)", "']' expected near ')'"),
        ("$('x)", "unfinished string near ''x'"),
        ("$(1x)", "malformed number near '1x'"),
        ("$(a:b)", "function arguments expected near ')'"),
        ("$(a -- b)", "')' expected near '<eof>'"),
        ("$(?)", "unexpected symbol near '?'"),
    ] {
        assert_eq!(refused(template), why, "{template}");
    }
    let late = Template::compile_deferred("$(a b)").unwrap();
    assert_eq!(late.syntax_error().unwrap().to_string(), "[string \"TMP\"]:1: ')' expected near 'b'");
    let error = late.render(&Env::of(&exchange())).unwrap_err().to_string();
    assert!(error.starts_with("failed to render the template $(a b), error:"), "{error}");
}

#[test]
fn unsupported_lua_is_rejected_even_when_deferred() {
    for template in ["$({1})", "$((function() end)())", "$(type{})", &format!("$({}1)", "1 + ".repeat(300))] {
        assert!(
            matches!(Template::compile_deferred(template), Err(TemplateError::Unsupported(_))),
            "{template}"
        );
    }
}

#[test]
fn without_lua_expressions_fail_and_constants_render() {
    let exchange = exchange();
    let env = Env::of(&exchange);
    let plain = Template::compile("plain $5").unwrap().without_lua();
    assert_eq!(&*plain.render(&env).unwrap(), b"plain $5");
    let reason = Template::compile("$(headers.host)").unwrap().without_lua().render(&env).unwrap_err().reason;
    assert!(reason.contains("'untrusted_lua' config option is set to 'off'"), "{reason}");
}

#[test]
fn runtime_errors_have_luas_messages() {
    assert_fails(&[
        ("$(nothing.here)", "attempt to index global 'nothing' (a nil value)"),
        ("$(foo(1))", "attempt to call global 'foo' (a nil value)"),
        ("$(10 * uri_captures.user1)", "attempt to perform arithmetic on field 'user1' (a nil value)"),
        ("$('a' .. headers.none)", "attempt to concatenate field 'none' (a nil value)"),
        ("$(headers.none:upper())", "attempt to index field 'none' (a nil value)"),
        ("$(('x'):nope())", "attempt to call method 'nope' (a nil value)"),
        ("$(1 < 'a')", "attempt to compare number with string"),
        ("$(nil < nil)", "attempt to compare two nil values"),
        ("$(string.sub())", "bad argument #1 to 'sub' (string expected, got no value)"),
        ("$(#nil)", "attempt to get length of a nil value"),
    ]);
    let unknown = |template| Template::compile(template).unwrap().unknown_name();
    assert_eq!(unknown("$(type(headers.x)) $(kong.ctx)").as_deref(), Some("kong"));
    assert_eq!(unknown("$(math.pi)"), None);
}

#[test]
fn evaluation_cost_is_bounded() {
    assert_fails(&[
        ("$(('x'):rep(1e9))", "the text is too long"),
        ("$(('a'):rep(1000):gsub('.', ('b'):rep(10000)))", "the text is too long"),
        ("$(('a'):rep(200):match(('a*'):rep(20) .. 'b'))", "pattern too complex"),
        ("$(('a'):rep(100000):find('.-b'))", "pattern too complex"),
    ]);
    let deep = format!("$({}1{})", "(".repeat(240), ")".repeat(240));
    assert!(Template::compile(&deep).is_err(), "nesting is bounded");
    assert!(Template::compile(&format!("$({}nil)", "not ".repeat(240))).is_err());
    assert_eq!(render(&format!("$({}'z')", "'x' .. ".repeat(150))).unwrap().len(), 151);
}

#[test]
fn numbers_print_as_in_lua() {
    for (value, text) in [
        (1e14, "1e+14"),
        (99_999_999_999_999.0, "99999999999999"),
        (1.0 / 3.0, "0.33333333333333"),
        (-0.5, "-0.5"),
        (1e-5, "1e-05"),
        (123_456.789, "123456.789"),
        (0.0, "0"),
        (f64::INFINITY, "inf"),
    ] {
        assert_eq!(number_text(value), text);
    }
}

proptest::proptest! {
    #[test]
    fn no_template_and_no_pattern_panics(
        template in r#"[$('"a.x:%~=<>+*/^#,) \\\[\]1é-]{0,24}"#,
        text in "[ab()1%]{0,12}",
        pattern in r"[%\[\]()^$*+.?ab1bf-]{0,12}",
    ) {
        let exchange = request("GET", "/", &[("x", &text), ("y", &pattern)], "");
        if let Ok(template) = Template::compile(&format!("$({template})")) {
            let _ = template.render(&Env::of(&exchange));
        }
        for call in ["match(headers.y)", "find(headers.y, -3)", "gsub(headers.y, headers.x)", "format(1, 'a')"] {
            let template = Template::compile(&format!("$(headers.x:{call})")).expect("a call");
            let _ = template.render(&Env::of(&exchange));
        }
    }
}
