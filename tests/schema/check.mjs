// Reads `{schema, files: [{name, text, data}]}` from standard input and writes `{ajv, editor}`: for each file the
// complaints of ajv about its data, and those of yaml-language-server, driven over LSP, about its text.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const tools = createRequire(`${process.argv[2]}/package.json`);
const { schema, files } = JSON.parse(readFileSync(0, 'utf8'));

function withAjv() {
  const Ajv = tools('ajv').default;
  const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
  const validate = ajv.compile(JSON.parse(readFileSync(schema, 'utf8')));
  return files.map(({ data }) => {
    if (validate(data)) return [];
    return validate.errors.map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
  });
}

// One request at a time, over the server's standard input and output.
class LanguageServer {
  constructor(command, args) {
    this.process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.input = Buffer.alloc(0);
    this.replies = new Map();
    this.diagnostics = new Map();
    this.process.stdout.on('data', (chunk) => this.receive(chunk));
    this.process.on('exit', (code) => code && process.exit(code));
  }
  receive(chunk) {
    this.input = Buffer.concat([this.input, chunk]);
    for (;;) {
      const end = this.input.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length: *(\d+)/i.exec(this.input.subarray(0, end))[1]);
      if (this.input.length < end + 4 + length) return;
      const message = JSON.parse(this.input.subarray(end + 4, end + 4 + length));
      this.input = this.input.subarray(end + 4 + length);
      this.dispatch(message);
    }
  }
  dispatch({ id, method, params, result, error }) {
    if (method === 'textDocument/publishDiagnostics') {
      this.diagnostics.get(params.uri)?.(params.diagnostics);
    } else if (method === 'workspace/configuration') {
      this.send({ id, result: params.items.map(({ section }) => settings[section] ?? {}) });
    } else if (method && id !== undefined) {
      this.send({ id, result: null });
    } else if (!method) {
      const [done, failed] = this.replies.get(id);
      error ? failed(new Error(error.message)) : done(result);
    }
  }
  send(message) {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.process.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }
  request(method, params) {
    const id = this.replies.size + 1;
    this.send({ id, method, params });
    return new Promise((done, failed) => this.replies.set(id, [done, failed]));
  }
  open(uri, text) {
    const reported = new Promise((done) => this.diagnostics.set(uri, done));
    this.send({
      method: 'textDocument/didOpen',
      params: { textDocument: { uri, languageId: 'yaml', version: 1, text } },
    });
    return reported;
  }
}

const settings = {
  yaml: {
    validate: true,
    hover: true,
    yamlVersion: '1.1',
    schemaStore: { enable: false },
    schemas: { [pathToFileURL(schema)]: '*' },
    customTags: [],
  },
};

async function withEditor() {
  const server = new LanguageServer('node', [tools.resolve('yaml-language-server/bin/yaml-language-server'), '--stdio']);
  const capabilities = { workspace: { configuration: true }, textDocument: { publishDiagnostics: {} } };
  await server.request('initialize', { processId: process.pid, rootUri: null, capabilities });
  server.send({ method: 'initialized', params: {} });
  server.send({ method: 'workspace/didChangeConfiguration', params: { settings } });
  // All together: the server waits a while after each change before it validates.
  const reports = files.map(async ({ name, text }) => {
    const started = Date.now();
    const diagnostics = await server.open(pathToFileURL(name).href, text);
    if (process.env.SHOW) console.error(name, text.length, Date.now() - started);
    return diagnostics.map((d) => `${d.range.start.line + 1}:${d.range.start.character + 1} ${d.message}`);
  });
  const found = await Promise.all(reports);
  // An editor that could not load the schema complains about nothing; its hover then says nothing either.
  const uri = pathToFileURL('/hover.yml').href;
  await server.open(uri, 'services:\n- retries: 5\n');
  const hover = await server.request('textDocument/hover', { textDocument: { uri }, position: { line: 1, character: 4 } });
  await server.request('shutdown', null);
  server.send({ method: 'exit' });
  return { found, hover: hover?.contents?.value ?? '' };
}

const editor = await withEditor();
process.stdout.write(JSON.stringify({ ajv: withAjv(), editor: editor.found, hover: editor.hover }), () => process.exit(0));
