//! Endpoints with a form: a browser gets a page, a program JSON.
//!
//! GET shows the form and changes nothing. A mail scanner that opens the link any number of times does not use it up. POST carries out what the form
//! requests, and redirects a browser to a page that confirms it.

use std::future::Future;

use doorward::{
    http::{self, Answer, Field, FieldErrors, Fields, Method, Reader, Refusal, Request},
    page::{Page, Pages},
};

use crate::{Endpoint, Function, PageRole};

/// An endpoint with a form, which implements this instead of [`Endpoint`].
pub(crate) trait FormEndpoint: Function {
    /// Its route.
    const ROUTE: &'static str;
    /// The page for a mailed link that does not work. `None` if the form is not opened by a mailed link.
    const DEAD_LINK: Option<Page<'static>>;
    /// The page that confirms that the request was carried out.
    const DONE: Page<'static>;

    /// The answer to a program whose request was carried out.
    fn done() -> Answer {
        http::done()
    }

    fn pages(&self) -> &Pages;

    /// The page with the form.
    fn show(&self, request: &Request) -> impl Future<Output = Result<Answer, Refusal>> + Send;

    /// The page with the form that was sent, and with the complaints about it.
    fn show_again(&self, request: &Request, errors: &FieldErrors) -> impl Future<Output = Result<Answer, Refusal>> + Send;

    /// Carries out what the form requests.
    fn submit(&self, request: &Request) -> impl Future<Output = Result<(), Refusal>> + Send;
}

impl<F: FormEndpoint> Endpoint for F {
    const ROUTES: &[&str] = &[F::ROUTE];
    const METHODS: &[Method] = match F::DEAD_LINK {
        Some(_) => &[Method::GET, Method::HEAD, Method::POST],
        None => &[Method::POST],
    };
    const PAGE: PageRole = match F::DEAD_LINK {
        Some(_) => PageRole::MailedLink,
        None => PageRole::Form,
    };

    fn pages(&self) -> Option<&Pages> {
        Some(FormEndpoint::pages(self))
    }

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        match request.reader() {
            Some(reader) => page(self, &reader, &request).await,
            None if request.method == Method::POST => self.submit(&request).await.map(|()| F::done()),
            None => self.show(&request).await,
        }
    }
}

async fn page<F: FormEndpoint>(endpoint: &F, reader: &Reader, request: &Request) -> Result<Answer, Refusal> {
    let pages = FormEndpoint::pages(endpoint);
    let answer = if request.follows_form() {
        Ok(pages.show(reader, &F::DONE)?)
    } else if request.method == Method::POST {
        endpoint.submit(request).await.map(|()| pages.send_on(reader))
    } else {
        endpoint.show(request).await
    };
    let answer = match answer {
        Err(Refusal::Fields(errors)) => endpoint.show_again(request, &errors).await,
        answer => answer,
    };
    match (answer, F::DEAD_LINK) {
        (Err(Refusal::Token | Refusal::Activation), Some(dead)) => Ok(pages.show(reader, &dead)?),
        (answer, _) => answer,
    }
}

/// Reads the token from a body. A form must also contain a ticked box.
///
/// Mail scanners open the links of a mail and may submit the forms behind them. A form is therefore accepted only with a box that a person has ticked. JSON
/// needs no box, because a program that sends it has not opened the page.
pub(crate) fn ticked_token<T>(request: &Request, name: &'static str, entered: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
    let mut fields = Fields::of(request.form()?);
    let token = fields.take_checked("token", Field::Text, None);
    if token.is_some() && request.is_form() {
        fields.check_ticked(name);
    }
    fields.finish(token).map(|token| entered(&token))
}
