//! A response that is taken whole, for who has no use for its beginning.

use super::{HttpClient, Timeouts};
use crate::http::{HttpError, HttpGrant, error::with_causes};
use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use sandbar_call::{Body, BodyError, Meter};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

impl HttpClient {
    /// Sends a request as [`HttpClient::send`] does, with the usual timeouts, and returns the response with all of its body.
    ///
    /// # Errors
    /// As there; or the body has more bytes than these.
    pub async fn fetch(
        &self,
        grant: &HttpGrant,
        meter: Arc<Meter>,
        request: Request<Body>,
        bytes_max: usize,
    ) -> Result<Response<Bytes>, HttpError> {
        let (response, exchange) = self.send(grant, meter, request, Timeouts::default()).await?;
        let (head, body) = response.into_parts();
        // The exchange moves the bytes, and may end before all of them were taken.
        let (mut exchange, mut exchanged) = (pin!(exchange), false);
        let mut body = pin!(Limited::new(body, bytes_max).collect());
        let body = poll_fn(|cx| {
            if !exchanged && let Poll::Ready(ended) = exchange.as_mut().poll(cx) {
                exchanged = true;
                if let Err(error) = ended {
                    return Poll::Ready(Err(error));
                }
            }
            body.as_mut().poll(cx).map_err(|error| of_body(error, bytes_max))
        })
        .await?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

fn of_body(error: BodyError, bytes_max: usize) -> HttpError {
    match error.downcast::<HttpError>() {
        Ok(error) => *error,
        Err(error) if error.is::<LengthLimitError>() => HttpError::BodyTooLarge(bytes_max),
        Err(error) => HttpError::Protocol(with_causes(&*error)),
    }
}
