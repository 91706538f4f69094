//! What a request asks for, as rules judge it.
//!
//! Nothing that reaches the model or the provider hides from rules: text in a field that is named here is a part of the
//! prompt with its role; all strings of a field that is not are [`Role::Other`]; a shape that cannot be read is refused
//! with its path.

use serde_json::{Map, Value};

use super::Operation;
use crate::protocol::strict::{Path, RequestError, parse};

/// Who says a part of the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `system` and `developer`.
    System,
    /// `user`, the prompt of a completion, the input of an embedding.
    User,
    /// What the model said before, its calls of tools included.
    Assistant,
    /// Results of tools.
    Tool,
    /// Definitions of tools and of the answer's form.
    Definition,
    /// Strings of fields that this module does not know.
    Other,
}

/// A text of the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Who says it.
    pub role: Role,
    /// The text, without JSON's escapes.
    pub text: String,
}

/// A request as rules see it. What an operation lacks is empty or zero.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestView {
    /// What is asked for.
    pub operation: Operation,
    /// The model; empty where the request names none.
    pub model: String,
    /// Whether the answer is to come as a stream.
    pub stream: bool,
    /// Number of messages.
    pub messages: usize,
    /// All texts; those of messages in the order of the messages.
    pub prompt: Vec<Part>,
    /// Unicode scalar values of all texts.
    pub prompt_chars: u64,
    /// Names of the tools that the model may call.
    pub tools: Vec<String>,
    /// Bound on the answer in tokens, the larger where the request gives two.
    pub max_output_tokens: Option<u64>,
    /// Choices asked for.
    pub n: u64,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Images among the prompt.
    pub images: u64,
    /// Pieces of audio among the prompt.
    pub audios: u64,
    /// Whether a stream will report its usage.
    pub include_usage: bool,
    /// Paths of what the provider keeps for others or looks up elsewhere: ids of files, answers, conversations; `store`.
    pub references: Vec<String>,
}

impl RequestView {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`RequestError`]: not strict JSON, or of a shape that is not the API's where text could hide.
    pub fn read(operation: Operation, body: &[u8]) -> Result<Self, RequestError> {
        let Value::Object(body) = parse(body)? else {
            return Err(RequestError::schema(&Path::default(), "expected an object"));
        };
        let mut reader = Reader { view: Self::empty(operation) };
        reader.body(body)?;
        Ok(reader.view)
    }

    /// A view of a request without a body.
    pub fn empty(operation: Operation) -> Self {
        Self {
            operation,
            model: String::new(),
            stream: false,
            messages: 0,
            prompt: Vec::new(),
            prompt_chars: 0,
            tools: Vec::new(),
            max_output_tokens: None,
            n: 1,
            temperature: None,
            images: 0,
            audios: 0,
            include_usage: false,
            references: Vec::new(),
        }
    }

    /// All texts of the prompt, joined by line feeds: what `prompt.text` is.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.prompt.iter().map(|part| part.text.as_str()).collect();
        texts.join("\n")
    }
}

/// Keys of the body that say something other than text; of a key that differs from one of these by case alone, two
/// readers think differently.
const KNOWN: &[&str] = &[
    "messages",
    "prompt",
    "input",
    "model",
    "stream",
    "stream_options",
    "tools",
    "functions",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "temperature",
    "store",
    "tool_choice",
    "function_call",
    "response_format",
    "prediction",
    "suffix",
    "stop",
    "user",
    "metadata",
    "modalities",
    "audio",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "top_p",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "parallel_tool_calls",
    "reasoning_effort",
    "service_tier",
    "verbosity",
    "best_of",
    "echo",
    "dimensions",
    "encoding_format",
    "previous_response_id",
    "conversation",
    "conversation_id",
    "container",
    "file_ids",
    "web_search_options",
    "instructions",
    "prompt_cache_key",
    "safety_identifier",
];

/// Keys whose strings are words of the API, not text.
const WORDS: &[&str] = &[
    "modalities",
    "audio",
    "tool_choice",
    "function_call",
    "reasoning_effort",
    "service_tier",
    "verbosity",
    "encoding_format",
];

/// Keys that lead to what the provider keeps.
const REFERENCES: &[&str] =
    &["previous_response_id", "conversation", "conversation_id", "container", "file_ids"];

const MESSAGE: &[&str] = &[
    "role",
    "content",
    "name",
    "tool_calls",
    "tool_call_id",
    "function_call",
    "refusal",
    "audio",
    "reasoning_content",
    "reasoning",
];

const PART: &[&str] = &["type", "text", "refusal", "image_url", "input_audio", "file"];

type Object = Map<String, Value>;
type Read = Result<(), RequestError>;

struct Reader {
    view: RequestView,
}

impl Reader {
    fn body(&mut self, body: Object) -> Read {
        let root = Path::default();
        check_case(&body, KNOWN, &root)?;
        let texts = match self.view.operation {
            Operation::Chat => "messages",
            Operation::Completions => "prompt",
            _ => "input",
        };
        if !body.contains_key(texts) {
            return Err(RequestError::schema(&root.key(texts), "missing"));
        }
        for (key, value) in body {
            let path = root.key(&key);
            if key == texts {
                self.texts(value, &path)?;
            } else {
                self.field(&key, value, &path)?;
            }
        }
        Ok(())
    }

    /// The field that carries the operation's text.
    fn texts(&mut self, value: Value, path: &Path) -> Read {
        if self.view.operation == Operation::Chat {
            return self.messages(value, path);
        }
        let items = match value {
            Value::Array(items) => items,
            one => return self.text(Role::User, one, path),
        };
        items.into_iter().enumerate().try_for_each(|(at, item)| self.text(Role::User, item, &path.index(at)))
    }

    fn field(&mut self, key: &str, value: Value, path: &Path) -> Read {
        if value.is_null() || WORDS.contains(&key) {
            return Ok(());
        }
        match key {
            "model" => self.view.model = string(value, path)?,
            "stream" => self.view.stream = boolean(&value, path)?,
            "stream_options" => {
                if let Some(include) = value.get("include_usage").filter(|value| !value.is_null()) {
                    self.view.include_usage = boolean(include, &path.key("include_usage"))?;
                }
            }
            "max_tokens" | "max_completion_tokens" => {
                self.view.max_output_tokens = self.view.max_output_tokens.max(Some(whole(&value, path)?));
            }
            "n" => self.view.n = whole(&value, path)?,
            "temperature" => {
                let number = value.as_f64();
                self.view.temperature =
                    Some(number.ok_or_else(|| RequestError::schema(path, "expected a number"))?);
            }
            "store" => {
                if boolean(&value, path)? {
                    self.view.references.push(path.to_string());
                }
            }
            "tools" | "functions" => self.tools(value, path)?,
            "response_format" | "prediction" => self.all(Role::Definition, value),
            _ if REFERENCES.contains(&key) => self.view.references.push(path.to_string()),
            _ => self.all(Role::Other, value),
        }
        Ok(())
    }

    fn messages(&mut self, value: Value, path: &Path) -> Read {
        let messages = array(value, path)?;
        self.view.messages = messages.len();
        messages.into_iter().enumerate().try_for_each(|(at, item)| self.message(item, &path.index(at)))
    }

    fn message(&mut self, value: Value, path: &Path) -> Read {
        let mut message = object(value, path)?;
        check_case(&message, MESSAGE, path)?;
        let role = role(message.remove("role"), &path.key("role"))?;
        for (key, value) in message {
            let path = path.key(&key);
            match key.as_str() {
                _ if value.is_null() => {}
                "content" => self.content(role, value, &path)?,
                "name" | "refusal" | "reasoning_content" | "reasoning" => self.text(role, value, &path)?,
                "tool_calls" => self.calls(value, &path)?,
                "function_call" => self.call(value, &path)?,
                "audio" => self.view.references.push(path.key("id").to_string()),
                "tool_call_id" => {
                    string(value, &path)?;
                }
                _ => self.all(role, value),
            }
        }
        Ok(())
    }

    fn content(&mut self, role: Role, value: Value, path: &Path) -> Read {
        match value {
            Value::Array(parts) => parts
                .into_iter()
                .enumerate()
                .try_for_each(|(at, part)| self.part(role, part, &path.index(at))),
            text => self.text(role, text, path),
        }
    }

    fn part(&mut self, role: Role, value: Value, path: &Path) -> Read {
        let mut part = object(value, path)?;
        check_case(&part, PART, path)?;
        let kind = string(part.remove("type").unwrap_or_default(), &path.key("type"))?;
        let field = kind.as_str();
        if !matches!(field, "text" | "refusal" | "image_url" | "input_audio" | "file") {
            return Err(RequestError::schema(&path.key("type"), "unknown kind of content"));
        }
        let value = part.remove(field).unwrap_or_default();
        let path = path.key(field);
        match field {
            "image_url" => self.image(value, &path)?,
            "input_audio" => self.view.audios = self.view.audios.saturating_add(1),
            "file" => self.file(&value, &path)?,
            _ => self.text(role, value, &path)?,
        }
        // Whatever else stands there: another kind's field too.
        part.into_iter().for_each(|(_, value)| self.all(role, value));
        Ok(())
    }

    fn image(&mut self, value: Value, path: &Path) -> Read {
        self.view.images = self.view.images.saturating_add(1);
        let url = match value {
            Value::Object(mut image) => string(image.remove("url").unwrap_or_default(), &path.key("url"))?,
            url => string(url, path)?,
        };
        if !url.starts_with("data:") {
            self.push(Role::Other, url);
        }
        Ok(())
    }

    fn file(&mut self, value: &Value, path: &Path) -> Read {
        if value.get("file_id").is_none_or(Value::is_null) || value.get("file_data").is_some() {
            return Err(RequestError::schema(path, "the content of a file cannot be read"));
        }
        self.view.references.push(path.key("file_id").to_string());
        Ok(())
    }

    fn calls(&mut self, value: Value, path: &Path) -> Read {
        let calls = array(value, path)?;
        for (at, call) in calls.into_iter().enumerate() {
            let path = path.index(at);
            let mut call = object(call, &path)?;
            check_case(&call, &["id", "type", "function", "custom"], &path)?;
            call.remove("id");
            call.remove("type");
            for (key, value) in call {
                match key.as_str() {
                    "function" | "custom" => self.call(value, &path.key(&key))?,
                    _ => self.all(Role::Assistant, value),
                }
            }
        }
        Ok(())
    }

    /// A call of a tool: its name, and its arguments, in which JSON's escapes may hide text a second time.
    fn call(&mut self, value: Value, path: &Path) -> Read {
        let call = object(value, path)?;
        check_case(&call, &["name", "arguments", "input"], path)?;
        for (key, value) in call {
            let Value::String(text) = value else {
                self.all(Role::Assistant, value);
                continue;
            };
            if key == "arguments"
                && text.contains('\\')
                && let Ok(inner) = serde_json::from_str::<Value>(&text)
            {
                self.all(Role::Assistant, inner);
            }
            self.push(Role::Assistant, text);
        }
        Ok(())
    }

    fn tools(&mut self, value: Value, path: &Path) -> Read {
        for (at, tool) in array(value, path)?.into_iter().enumerate() {
            let path = path.index(at);
            let tool = object(tool, &path)?;
            check_case(&tool, &["type", "function", "custom", "name"], &path)?;
            let named = ["function", "custom"].iter().find_map(|key| tool.get(*key)?.get("name"));
            let name = named.or_else(|| tool.get("name")).or_else(|| tool.get("type"));
            match name.and_then(Value::as_str) {
                Some(name) => self.view.tools.push(name.to_owned()),
                None => return Err(RequestError::schema(&path, "a tool without a name")),
            }
            tool.into_iter()
                .filter(|(key, _)| key != "type")
                .for_each(|(_, value)| self.all(Role::Definition, value));
        }
        Ok(())
    }

    fn text(&mut self, role: Role, value: Value, path: &Path) -> Read {
        let text = string(value, path)?;
        self.push(role, text);
        Ok(())
    }

    fn push(&mut self, role: Role, text: String) {
        let chars = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        self.view.prompt_chars = self.view.prompt_chars.saturating_add(chars);
        if !text.is_empty() {
            self.view.prompt.push(Part { role, text });
        }
    }

    /// All strings of a value, keys too. As deep as the parser goes.
    fn all(&mut self, role: Role, value: Value) {
        match value {
            Value::String(text) => self.push(role, text),
            Value::Array(items) => items.into_iter().for_each(|item| self.all(role, item)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.push(role, key);
                    self.all(role, value);
                }
            }
            Value::Number(number) => self.push(role, number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }
}

fn role(value: Option<Value>, path: &Path) -> Result<Role, RequestError> {
    match string(value.unwrap_or_default(), path)?.as_str() {
        "system" | "developer" => Ok(Role::System),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" | "function" => Ok(Role::Tool),
        _ => Err(RequestError::schema(path, "unknown role")),
    }
}

fn string(value: Value, path: &Path) -> Result<String, RequestError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(RequestError::schema(path, "expected a string")),
    }
}

fn boolean(value: &Value, path: &Path) -> Result<bool, RequestError> {
    value.as_bool().ok_or_else(|| RequestError::schema(path, "expected true or false"))
}

fn whole(value: &Value, path: &Path) -> Result<u64, RequestError> {
    value.as_u64().ok_or_else(|| RequestError::schema(path, "expected a whole number"))
}

fn array(value: Value, path: &Path) -> Result<Vec<Value>, RequestError> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(RequestError::schema(path, "expected an array")),
    }
}

fn object(value: Value, path: &Path) -> Result<Object, RequestError> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(RequestError::schema(path, "expected an object")),
    }
}

/// Refuses keys that a reader without regard for case takes for a known one.
fn check_case(object: &Object, known: &[&str], path: &Path) -> Read {
    let clash = |key: &&String| {
        !known.contains(&key.as_str()) && known.iter().any(|name| folded(key).eq(name.chars()))
    };
    match object.keys().find(clash) {
        Some(key) => Err(RequestError::schema(&path.key(key), "a known key in other letters")),
        None => Ok(()),
    }
}

/// As Go's `encoding/json` folds keys: the long s and the Kelvin sign are letters too.
fn folded(key: &str) -> impl Iterator<Item = char> + '_ {
    key.chars().map(|char| match char {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        other => other.to_ascii_lowercase(),
    })
}

#[cfg(test)]
mod tests;
