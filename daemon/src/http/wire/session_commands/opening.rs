//! The body of `POST /api/v1/sessions`, and of `POST /admin/apps/{app_id}`.

use storage::ids::{LineName, NameError, Number};

use super::fault::BodyFault;
use super::fields::Fields;
use crate::engine::calls::NewCall;
use crate::engine::webhook::application::AppWish;
use crate::engine::webhook::sign;

/// Reads which call is to be opened.
///
/// # Errors
/// [`BodyFault`]: 400.
pub fn call(body: &[u8]) -> Result<NewCall, BodyFault> {
    let fields = Fields::read(body)?;
    let line = fields.text("line")?.ok_or(BodyFault::Missing("line"))?;
    let name = |error: NameError, field| BodyFault::Name { field, error };
    let line = LineName::new(line).map_err(|error| name(error, "line"))?;
    let number = |field| match fields.text(field)? {
        None => Ok(None),
        Some(text) => match Number::new(text) {
            Ok(number) => Ok(Some(number.as_str().to_owned())),
            Err(error) => Err(name(error, field)),
        },
    };
    Ok(NewCall {
        line,
        caller_id: number("caller_id")?,
        did: number("did")?,
    })
}

/// Reads what an application shall be. Whether the values are any good is found out where it is
/// set.
///
/// # Errors
/// [`BodyFault`]: 400.
pub fn wish(body: &[u8]) -> Result<AppWish, BodyFault> {
    let fields = Fields::read(body)?;
    let secret = match fields.text("webhook_secret")? {
        Some(text) => Some(sign::parse_secret(text).map_err(|_| BodyFault::Secret)?),
        None => None,
    };
    // What no rate can be is out of range there as well.
    let rate_limit = fields.signed("rate_limit")?;
    let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    Ok(AppWish {
        webhook_url: fields.text("webhook_url")?.map(str::to_owned),
        api_key: fields.text("api_key")?.map(str::to_owned),
        rate_limit: rate_limit.map(|rate| u32::try_from(rate).unwrap_or(0)),
        events: fields.texts("events")?.map(names),
        secret,
        new_secret: false,
    })
}
