/**
 * Stands in for a cloud's tool in tests, where there is no account: remembers
 * every call, keeps what it "made" in a file, and answers as the tool does, as
 * far as the stages ask. It proves what the stages call and how they read the
 * answers, and nothing about the cloud.
 *
 *   clouds_driver_testing.ts terraform|aws|gcloud|curl ARGUMENTS…
 *
 * The folder of $FAKE_CLOUD has: calls (a JSON list of arguments a line), made
 * (what there is), and what a test puts there: addresses (of nodes, by name),
 * caller (the operator's address), fail (a text that a call which has it in its
 * arguments fails with), quota.
 */
const folder = Deno.env.get("FAKE_CLOUD") ?? "";

type Made = Record<string, Record<string, unknown>>;

function read(name: string): string | undefined {
  try {
    return Deno.readTextFileSync(`${folder}/${name}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function made(): Made {
  return JSON.parse(read("made") ?? "{}");
}

function keep(all: Made): void {
  Deno.writeTextFileSync(`${folder}/made`, JSON.stringify(all, null, 1));
}

class Failure extends Error {
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

/** The value of --NAME=VALUE or --NAME VALUE. */
function flag(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(`--${name}`);
  if (at >= 0) return args[at + 1];
  return args.find((arg) => arg.startsWith(`--${name}=`))
    ?.slice(name.length + 3);
}

function addressOf(node: string): string {
  return JSON.parse(read("addresses") ?? "{}")[node] ?? "";
}

interface Variables {
  readonly nodes: Record<string, { address: string }>;
  readonly public_key_file: string;
}

function terraform(args: readonly string[]): string {
  const [verb = "", ...rest] = args.filter((arg) => !arg.startsWith("-chdir="));
  const data = Deno.env.get("TF_DATA_DIR") ?? "";
  const initialised = () => {
    try {
      return Deno.readTextFileSync(`${data}/backend`);
    } catch {
      throw new Failure(
        1,
        'Error: Backend initialization required, please run "terraform init"',
      );
    }
  };
  const state = (): Variables | undefined => {
    try {
      return JSON.parse(Deno.readTextFileSync(initialised()));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  };
  const wanted = (): Variables =>
    Object.assign(
      {},
      ...rest.filter((arg) => arg.startsWith("-var-file="))
        .map((arg) => JSON.parse(Deno.readTextFileSync(arg.slice(10)))),
    );
  switch (verb) {
    case "version":
      return JSON.stringify({ terraform_version: "1.11.4" });
    case "validate":
      try {
        initialised();
        return JSON.stringify({ valid: true, diagnostics: [] });
      } catch {
        console.log(JSON.stringify({
          valid: false,
          diagnostics: [{ summary: "Missing required provider", detail: "" }],
        }));
        throw new Failure(1, "");
      }
    case "init": {
      Deno.mkdirSync(data, { recursive: true });
      const path = rest.find((arg) => arg.startsWith("-backend-config=path="));
      Deno.writeTextFileSync(`${data}/backend`, path?.slice(21) ?? "");
      return "Terraform has been successfully initialized!";
    }
    case "plan": {
      initialised();
      const plan = JSON.stringify(wanted());
      const now = JSON.stringify(state());
      const out = rest.find((arg) => arg.startsWith("-out="))?.slice(5) ?? "";
      Deno.writeTextFileSync(out, plan);
      if (plan === now) {
        return "No changes. Your infrastructure matches the configuration.";
      }
      console.log(
        `Plan: ${Object.keys(wanted().nodes).length} machines, as asked.`,
      );
      throw new Failure(rest.includes("-detailed-exitcode") ? 2 : 0, "");
    }
    case "apply": {
      const plan = Deno.readTextFileSync(rest.at(-1) ?? "");
      Deno.writeTextFileSync(initialised(), plan);
      const { public_key_file } = JSON.parse(plan) as Variables;
      Deno.copyFileSync(public_key_file, `${folder}/authorized_keys`);
      Deno.chmodSync(`${folder}/authorized_keys`, 0o644);
      return "Apply complete!";
    }
    case "output": {
      const now = state();
      if (now === undefined) return "{}";
      const machines = Object.fromEntries(
        Object.entries(now.nodes).map(([name, { address }]) => [name, {
          id: `i-${name}`,
          address,
          interface_id: `eni-${name}`,
          public_address: addressOf(name),
        }]),
      );
      return JSON.stringify({
        machines: { sensitive: false, value: machines },
        route_table_id: { sensitive: false, value: "rtb-1" },
      });
    }
    case "destroy":
      wanted();
      Deno.removeSync(initialised());
      return "Destroy complete!";
    default:
      throw new Failure(1, `no such terraform: ${verb}`);
  }
}

function aws(args: readonly string[]): string {
  const [service = "", call = ""] = args;
  if (!Deno.env.get("AWS_SECRET_ACCESS_KEY")) {
    throw new Failure(
      255,
      'Unable to locate credentials. You can configure credentials by running "aws configure".',
    );
  }
  const all = made();
  const routes = all.routes ?? {};
  const to = flag(args, "destination-cidr-block") ?? "";
  switch (`${service} ${call}`) {
    case "sts get-caller-identity":
      return JSON.stringify({ Account: "000000000000" });
    case "service-quotas get-service-quota":
      return read("quota") ?? "50.0";
    case "ec2 describe-route-tables": {
      const pods = Object.entries(routes).map(([cidr, card]) => ({
        DestinationCidrBlock: cidr,
        NetworkInterfaceId: card,
        Origin: "CreateRoute",
        State: "active",
      }));
      const fixed = [
        { DestinationCidrBlock: "10.0.0.0/16", GatewayId: "local" },
        { DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1" },
      ];
      return JSON.stringify({ RouteTables: [{ Routes: [...fixed, ...pods] }] });
    }
    case "ec2 create-route":
      if (to in routes) {
        throw new Failure(
          254,
          `An error occurred (RouteAlreadyExists) when calling the CreateRoute operation: The route identified by ${to} already exists.`,
        );
      }
      keep({
        ...all,
        routes: { ...routes, [to]: flag(args, "network-interface-id") },
      });
      return JSON.stringify({ Return: true });
    case "ec2 replace-route":
      keep({
        ...all,
        routes: { ...routes, [to]: flag(args, "network-interface-id") },
      });
      return "";
    case "ec2 delete-route": {
      if (!(to in routes)) {
        throw new Failure(
          254,
          `An error occurred (InvalidRoute.NotFound) when calling the DeleteRoute operation: no route with destination-cidr-block ${to} in route table rtb-1`,
        );
      }
      const { [to]: _, ...rest } = routes;
      keep({ ...all, routes: rest });
      return "";
    }
    default:
      throw new Failure(252, `no such call: ${service} ${call}`);
  }
}

function gcloud(args: readonly string[]): string {
  const [, kind = "", ...words] = args;
  const [verb = "", name = ""] = words.filter((arg) =>
    !arg.startsWith("--") && arg !== "subnets"
  );
  const sort = words.includes("subnets") ? "subnetworks" : kind;
  const path = `${sort}/${name}`;
  const all = made();
  const thing = all[path];
  const absent = () =>
    new Failure(
      1,
      `ERROR: (gcloud.compute.${kind}.${verb}) Could not fetch resource:\n - The resource 'projects/p/${path}' was not found\n`,
    );
  const ranges = (): string[] | undefined => {
    const file = flag(args, "flags-file");
    const text = file === undefined
      ? flag(args, "source-ranges")
      : /^--source-ranges: (.*)$/m.exec(Deno.readTextFileSync(file))?.[1];
    return text?.split(",");
  };
  if (kind === "project-info") {
    return flag(args, "flatten") === undefined
      ? JSON.stringify({ name: "p" })
      : `NETWORKS,5.0,1.0\nROUTES,${read("quota") ?? "250.0"},${
        Object.keys(all).filter((path) => path.startsWith("routes/")).length
      }.0`;
  }
  switch (verb) {
    case "describe":
      if (thing === undefined) throw absent();
      return JSON.stringify(thing);
    case "list":
      if (kind === "routes") {
        return Object.keys(all).filter((path) => path.startsWith("routes/"))
          .join("\n");
      }
      return JSON.stringify(
        Object.entries(all).filter(([path]) => path.startsWith("instances/"))
          .map(([, instance]) => instance),
      );
    case "create": {
      if (thing !== undefined) {
        throw new Failure(
          1,
          `ERROR: The resource 'projects/p/${path}' already exists`,
        );
      }
      const node = name.replace(/^[a-z]+-/, "");
      const address = flag(args, "private-network-ip");
      const keys = flag(args, "metadata-from-file")?.split("=")[1];
      if (keys !== undefined) {
        const line = Deno.readTextFileSync(keys);
        Deno.writeTextFileSync(
          `${folder}/authorized_keys`,
          line.slice(line.indexOf(":") + 1),
        );
      }
      keep({
        ...all,
        [path]: {
          name,
          description: flag(args, "description"),
          ipCidrRange: flag(args, "range"),
          sourceRanges: ranges(),
          destRange: flag(args, "destination-range"),
          nextHopIp: flag(args, "next-hop-address"),
          ...(address === undefined ? {} : {
            status: "RUNNING",
            canIpForward: args.includes("--can-ip-forward"),
            machineType: `https://x/machineTypes/${flag(args, "machine-type")}`,
            networkInterfaces: [{
              networkIP: address,
              accessConfigs: [{ natIP: addressOf(node) }],
            }],
          }),
        },
      });
      return "";
    }
    case "start":
      if (thing === undefined) throw absent();
      keep({ ...all, [path]: { ...thing, status: "RUNNING" } });
      return "";
    case "update":
      if (thing === undefined) throw absent();
      keep({ ...all, [path]: { ...thing, sourceRanges: ranges() } });
      return "";
    case "delete": {
      if (thing === undefined) throw absent();
      const { [path]: _, ...rest } = all;
      keep(rest);
      return "";
    }
    default:
      throw new Failure(2, `no such verb: ${verb}`);
  }
}

const tools: Record<string, (args: readonly string[]) => string> = {
  terraform,
  aws,
  gcloud,
  curl: () => read("caller") ?? "198.51.100.7",
};

const [tool = "", ...args] = Deno.args;
Deno.writeTextFileSync(`${folder}/calls`, `${JSON.stringify(Deno.args)}\n`, {
  append: true,
});
try {
  const [needle, words = ""] = (read("fail") ?? "").trim().split("\n");
  const fails = needle !== "" && Deno.args.includes(needle ?? "");
  // An apply fails half-way, all else before it does anything.
  if (fails && !args.includes("apply")) throw new Failure(1, words);
  const output = tools[tool]?.(args) ?? "";
  if (fails) throw new Failure(1, words);
  if (output !== "") console.log(output);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  if (error.message !== "") console.error(error.message);
  Deno.exit(error.code);
}
