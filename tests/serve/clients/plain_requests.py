"""The code of MaaS's document: requests, a body as text, and no more."""

import json

import requests
from environment import BASE_URL, KEY, MODEL

url = f"{BASE_URL}/chat/completions"
headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
data = {
    "model": MODEL,
    "max_tokens": 20,
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "hello"},
    ],
}
resp = requests.post(url, headers=headers, data=json.dumps(data), verify=False, timeout=300)
assert resp.status_code == 200, resp.text
print(resp.json()["choices"][0]["message"]["content"])
