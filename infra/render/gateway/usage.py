"""Streams as OpenAI sends them: the event with the tokens alone only for those who ask for it.

Engines always send it (`--enable-force-include-usage`): limits and counts need the tokens of every stream.
Envoy reads them before this filter. But it is an event without choices, and the loop that most callers
write takes the first one.
"""

from infra.render.manifest import JsonObject

FILTER_NAME = "modelunits.usage"
ASKED = "include_usage"
"""Under this name Envoy keeps whether a request asked for the tokens of its stream."""

_LUA = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"

_EVENT_ENDS = r"\n\r?\n"

_NO_CHOICES = r'"choices":%s*%[%s*%]'
"""Never part of a text: quotes in JSON's texts have a backslash."""


def usage_filter(namespace: str) -> JsonObject:
    """Return the filter that takes events without choices out of streams whose callers did not ask for usage.

    An event may come in parts: the end of what came is kept until the event is whole. One that never is
    does not go out.
    """
    script = f"""
local function without_usage(event)
  if event:find('{_NO_CHOICES}') and event:find('"usage":%s*{{') then return "" end
end

function envoy_on_response(handle)
  local kind = handle:headers():get("content-type")
  if not kind or not kind:find("^text/event%-stream") then return end
  local kept = handle:streamInfo():dynamicMetadata():get("{namespace}")
  if kept and kept["{ASKED}"] == true then return end
  handle:headers():remove("content-length")
  local rest = ""
  for chunk in handle:bodyChunks() do
    local text = rest .. chunk:getBytes(0, chunk:length())
    local ended = text:match(".*{_EVENT_ENDS}()") or 1
    rest = text:sub(ended)
    chunk:setBytes((text:sub(1, ended - 1):gsub(".-{_EVENT_ENDS}", without_usage)))
  end
end
"""
    return {
        "name": FILTER_NAME,
        "typed_config": {"@type": _LUA, "default_source_code": {"inline_string": script.lstrip()}},
    }
