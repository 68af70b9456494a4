//! The OpenAPI document against the code: routes, methods, refusals, examples. That it describes every recorded answer is seen where those
//! are replayed, in `wire.rs`.

use std::collections::BTreeSet;

use doorward::{
    fault::Fault,
    http::{Answer, FieldErrors, Refusal},
};
use doorward_kit::{
    Deployment, Response,
    event::{post, request},
    front::ROUTES,
    openapi::Document,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_route_and_method_is_in_the_document_and_no_other() {
    let (document, deployment) = (Document::read(), Deployment::start().await);
    let documented: BTreeSet<String> = document.operations().into_iter().map(|(path, _)| path).collect();
    assert_eq!(documented, ROUTES.map(|route| format!("{route}/")).into());
    for (path, methods) in document.operations() {
        let answer = deployment.send(request("OPTIONS", &path)).await;
        assert_eq!(document.check("OPTIONS", &path, &answer), Ok(()));
        let allowed: BTreeSet<String> = answer.headers["allow"].split(", ").map(str::to_owned).collect();
        assert_eq!(methods, allowed, "{path}");
    }
}

/// Every refusal there is, and the routes whose POST may give it: none named is all.
fn refusals() -> Vec<(Refusal, Vec<&'static str>)> {
    const BODIES: [&str; 7] = [
        "/api/register/",
        "/api/login/",
        "/api/change_password/",
        "/api/password_reset/",
        "/api/password_reset/validate_token/",
        "/api/password_reset/confirm/",
        "/api/password_reset/disavow/",
    ];
    const PROTECTED: [&str; 3] = ["/api/logout/", "/api/logout_all/", "/api/change_password/"];
    const TOKENS: [&str; 3] = ["/api/password_reset/validate_token/", "/api/password_reset/confirm/", "/api/password_reset/disavow/"];
    let field = |name, message: &'static str| Refusal::Fields(FieldErrors::one(name, message));
    let everywhere = Vec::new();
    vec![
        (Refusal::Unauthenticated("Invalid token."), PROTECTED.to_vec()),
        (Refusal::Credentials, vec!["/api/login/"]),
        (Refusal::Method { method: "PUT".to_owned(), allow: "OPTIONS, POST" }, everywhere.clone()),
        (Refusal::MediaType("a \"b\"\n".to_owned()), BODIES.to_vec()),
        (Refusal::TooLarge, BODIES.to_vec()),
        (Refusal::Unreadable("why".to_owned()), BODIES.to_vec()),
        (Refusal::TooManyFields, BODIES.to_vec()),
        (Refusal::NoObject("null"), BODIES.to_vec()),
        (field("username", "taken"), vec!["/api/register/", "/api/login/"]),
        (field("email", "taken"), vec!["/api/register/", "/api/password_reset/"]),
        (field("password", "weak"), vec!["/api/register/", "/api/login/", "/api/password_reset/confirm/"]),
        (field("old_password", "missing"), vec!["/api/change_password/"]),
        (field("new_password", "weak"), vec!["/api/change_password/"]),
        (field("token", "missing"), TOKENS.to_vec()),
        (Refusal::OldPassword, vec!["/api/change_password/"]),
        (Refusal::Token, TOKENS.to_vec()),
        (Refusal::Throttled { retry_after: 1 }, BODIES.to_vec()),
        (Refusal::Throttled { retry_after: 42 }, BODIES.to_vec()),
        (Refusal::Origin, everywhere.clone()),
        (Refusal::RegistrationClosed, vec!["/api/register/"]),
        (Refusal::Fault(Fault::Internal("a cause")), everywhere.clone()),
        (Refusal::Fault(Fault::OutOfTime), everywhere),
    ]
}

#[test]
fn every_refusal_is_in_the_document_where_it_is_given() {
    let document = Document::read();
    for (refusal, routes) in refusals() {
        let everywhere = ROUTES.map(|route| format!("{route}/"));
        let routes: Vec<&str> = if routes.is_empty() { everywhere.iter().map(String::as_str).collect() } else { routes };
        let event = Answer::from(&refusal).into_event();
        let headers = event["headers"].as_object().expect("headers").iter();
        let answer = Response {
            status: u16::try_from(event["statusCode"].as_u64().expect("a status")).expect("a status"),
            headers: headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
            body: event["body"].as_str().expect("a body").to_owned(),
        };
        for route in routes {
            assert_eq!(document.check("POST", route, &answer), Ok(()), "{}", refusal.code());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_what_they_say() {
    let (document, deployment) = (Document::read(), Deployment::start().await);
    let send = async |path: &str, token: &str| {
        let example = document.example(path).unwrap_or_default();
        let answer = deployment.send(post(path, &example).header("Authorization", &format!("Bearer {token}"))).await;
        assert_eq!(document.check("POST", path, &answer), Ok(()));
        answer
    };
    assert_eq!(send("/api/register/", "").await.status, 201);
    let token = send("/api/login/", "").await.text("token");
    assert_eq!(send("/api/change_password/", &token).await.status, 200);
    assert_eq!(send("/api/password_reset/", "").await.status, 200);
    assert_eq!(send("/api/password_reset/validate_token/", "").await.status, 404);
    assert_eq!(send("/api/password_reset/confirm/", "").await.status, 404);
    assert_eq!(send("/api/password_reset/disavow/", "").await.status, 404);
    assert_eq!(send("/api/logout_all/", &token).await.status, 200);
    assert_eq!(send("/api/logout/", &token).await.status, 401);
}
