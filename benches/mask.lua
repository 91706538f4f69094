-- What one writes in Envoy's Lua filter to mask answers, as far as Lua's patterns reach: no alternatives, no counts, no
-- check digits. A stream is masked piece by piece as it comes, a whole answer at once.
local digit4 = "%d%d%d%d"
local hex2 = "%x%x"
local patterns = {
  { "%f[%w._%%+-][%w._%%+-]+@[%w-]+%.[%w.-]*%w", "<EMAIL_ADDRESS>" },
  { "%f[%d]" .. digit4 .. "[ -]?" .. digit4 .. "[ -]?" .. digit4 .. "[ -]?" .. digit4 .. "%f[%D]", "<CREDIT_CARD>" },
  { "%f[%d]%d%d%d%-%d%d%-%d%d%d%d%f[%D]", "<US_SSN>" },
  { "%f[%d]%d%d?%d?%.%d%d?%d?%.%d%d?%d?%.%d%d?%d?%f[%D]", "<IP_ADDRESS>" },
  { "%f[%x]" .. (hex2 .. "[:-]"):rep(5) .. hex2 .. "%f[%X]", "<MAC_ADDRESS>" },
  { "%f[%u]%u%u%d%d[ ]?%w%w%w%w[ ]?%w%w%w%w[ ]?%w%w%w%w[ %w]*", "<IBAN_CODE>" },
  { "%+%d[%d ()-]+%d", "<PHONE_NUMBER>" },
  { "%(%d%d%d%) ?%d%d%d%-%d%d%d%d", "<PHONE_NUMBER>" },
  { "AKIA" .. ("[%u%d]"):rep(16), "<AWS_ACCESS_KEY>" },
  { "gh[pousr]_" .. ("%w"):rep(36), "<GITHUB_TOKEN>" },
  { "%f[%w]sk%-[%w_-]+", "<OPENAI_KEY>" },
}

local function mask(text)
  for _, pattern in ipairs(patterns) do
    text = text:gsub(pattern[1], pattern[2])
  end
  return text
end

function envoy_on_response(handle)
  local kind = handle:headers():get("content-type") or ""
  if kind:find("event%-stream") then
    for chunk in handle:bodyChunks() do
      local length = chunk:length()
      if length > 0 then
        chunk:setBytes(mask(chunk:getBytes(0, length)))
      end
    end
    return
  end
  local body = handle:body()
  if body then
    local length = body:setBytes(mask(body:getBytes(0, body:length())))
    handle:headers():replace("content-length", length)
  end
end
