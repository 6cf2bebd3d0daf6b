/**
 * What an API server would refuse in a manifest: fields that a kind does not have, and values
 * of another type. The fields are those of Kubernetes 1.20 that config/kubernetes/ may have;
 * one that it does not know yet is to be added here first.
 */

/** The type of a value, as Kubernetes' OpenAPI has it. */
type Shape =
  | "string"
  | "boolean"
  | "integer"
  /** A number, or a share such as "100%" (intstr.IntOrString). */
  | "integer or share"
  /** Of resources, e.g. 20m or 80Mi (resource.Quantity). */
  | "quantity"
  | readonly string[]
  | { readonly list: Shape }
  /** Any keys. */
  | { readonly map: Shape }
  | { readonly fields: Fields; readonly needs?: readonly string[] };

type Fields = Readonly<Record<string, Shape>>;

const strings: Shape = { list: "string" };
const labels: Shape = { map: "string" };

const metadata: Shape = {
  fields: {
    name: "string",
    namespace: "string",
    labels,
    annotations: { map: "string" },
  },
};

const httpGet: Shape = {
  fields: {
    host: "string",
    path: "string",
    port: "integer",
    scheme: ["HTTP", "HTTPS"],
  },
  needs: ["port"],
};

const probe: Shape = {
  fields: {
    httpGet,
    exec: { fields: { command: strings } },
    initialDelaySeconds: "integer",
    periodSeconds: "integer",
    timeoutSeconds: "integer",
    successThreshold: "integer",
    failureThreshold: "integer",
  },
};

const amounts: Shape = { map: "quantity" };

const container: Shape = {
  fields: {
    name: "string",
    image: "string",
    imagePullPolicy: ["Always", "IfNotPresent", "Never"],
    command: strings,
    args: strings,
    workingDir: "string",
    env: {
      list: {
        fields: {
          name: "string",
          value: "string",
          valueFrom: {
            fields: {
              fieldRef: {
                fields: { apiVersion: "string", fieldPath: "string" },
                needs: ["fieldPath"],
              },
            },
          },
        },
        needs: ["name"],
      },
    },
    ports: {
      list: {
        fields: {
          name: "string",
          containerPort: "integer",
          hostPort: "integer",
          hostIP: "string",
          protocol: ["TCP", "UDP", "SCTP"],
        },
        needs: ["containerPort"],
      },
    },
    resources: { fields: { requests: amounts, limits: amounts } },
    securityContext: {
      fields: {
        privileged: "boolean",
        allowPrivilegeEscalation: "boolean",
        readOnlyRootFilesystem: "boolean",
        runAsUser: "integer",
        runAsNonRoot: "boolean",
        capabilities: { fields: { add: strings, drop: strings } },
      },
    },
    readinessProbe: probe,
    livenessProbe: probe,
    startupProbe: probe,
    terminationMessagePolicy: ["File", "FallbackToLogsOnError"],
    volumeMounts: {
      list: {
        fields: {
          name: "string",
          mountPath: "string",
          subPath: "string",
          readOnly: "boolean",
          mountPropagation: ["None", "HostToContainer", "Bidirectional"],
        },
        needs: ["name", "mountPath"],
      },
    },
  },
  needs: ["name", "image"],
};

const podSpec: Shape = {
  fields: {
    serviceAccountName: "string",
    automountServiceAccountToken: "boolean",
    priorityClassName: "string",
    hostNetwork: "boolean",
    hostPID: "boolean",
    dnsPolicy: ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"],
    restartPolicy: ["Always"],
    terminationGracePeriodSeconds: "integer",
    nodeSelector: labels,
    tolerations: {
      list: {
        fields: {
          key: "string",
          operator: ["Exists", "Equal"],
          value: "string",
          effect: ["NoSchedule", "PreferNoSchedule", "NoExecute"],
          tolerationSeconds: "integer",
        },
      },
    },
    initContainers: { list: container },
    containers: { list: container },
    volumes: {
      list: {
        fields: {
          name: "string",
          hostPath: {
            fields: {
              path: "string",
              type: [
                ...["", "Directory", "DirectoryOrCreate", "File"],
                ...["FileOrCreate", "Socket"],
              ],
            },
            needs: ["path"],
          },
          configMap: {
            fields: {
              name: "string",
              optional: "boolean",
              defaultMode: "integer",
            },
          },
          secret: {
            fields: {
              secretName: "string",
              optional: "boolean",
              defaultMode: "integer",
            },
          },
          emptyDir: { fields: { medium: "string", sizeLimit: "quantity" } },
        },
        needs: ["name"],
      },
    },
  },
  needs: ["containers"],
};

const kinds: Readonly<Record<string, Fields>> = {
  "v1 Namespace": {},
  "v1 ServiceAccount": { automountServiceAccountToken: "boolean" },
  "v1 ConfigMap": { data: { map: "string" }, immutable: "boolean" },
  "rbac.authorization.k8s.io/v1 ClusterRole": {
    rules: {
      list: {
        fields: {
          apiGroups: strings,
          resources: strings,
          resourceNames: strings,
          verbs: strings,
        },
        needs: ["verbs", "apiGroups", "resources"],
      },
    },
  },
  "rbac.authorization.k8s.io/v1 ClusterRoleBinding": {
    roleRef: {
      fields: { apiGroup: "string", kind: ["ClusterRole"], name: "string" },
      needs: ["apiGroup", "kind", "name"],
    },
    subjects: {
      list: {
        fields: {
          kind: ["ServiceAccount"],
          name: "string",
          namespace: "string",
        },
        needs: ["kind", "name", "namespace"],
      },
    },
  },
  "apps/v1 DaemonSet": {
    spec: {
      fields: {
        selector: { fields: { matchLabels: labels } },
        minReadySeconds: "integer",
        revisionHistoryLimit: "integer",
        updateStrategy: {
          fields: {
            type: ["RollingUpdate", "OnDelete"],
            rollingUpdate: { fields: { maxUnavailable: "integer or share" } },
          },
        },
        template: {
          fields: { metadata, spec: podSpec },
          needs: ["metadata", "spec"],
        },
      },
      needs: ["selector", "template"],
    },
  },
  "kustomize.config.k8s.io/v1beta1 Kustomization": {
    resources: strings,
    images: {
      list: {
        fields: { name: "string", newName: "string", newTag: "string" },
      },
    },
    patches: { list: { fields: { patch: "string", path: "string" } } },
  },
};

/** A label's value, and a capability of Linux, by the names that Kubernetes takes. */
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const objectName =
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** What an API server would refuse in an object, each with its place; empty where nothing. */
export function refusals(value: unknown): string[] {
  const { apiVersion, kind, metadata: about, ...rest } = value as Record<
    string,
    unknown
  >;
  const fields = kinds[`${apiVersion} ${kind}`];
  if (fields === undefined) return [`${apiVersion} ${kind}: no such kind`];
  const isKustomization = kind === "Kustomization";
  const meta = about as Record<string, unknown> | undefined;
  const name = String(meta?.name);
  const found: string[] = [];
  if (!isKustomization) {
    look(about, metadata, "metadata", found);
    if (!objectName.test(name)) found.push(`metadata.name: ${name}`);
    for (const [key, label] of Object.entries(meta?.labels ?? {})) {
      if (!labelValue.test(String(label))) {
        found.push(`metadata.labels.${key}: ${label}`);
      }
    }
  }
  look(rest, { fields }, "", found);
  return found.map((what) => `${kind} ${isKustomization ? "" : name}: ${what}`);
}

function look(value: unknown, shape: Shape, at: string, found: string[]): void {
  if (typeof shape === "string" || Array.isArray(shape)) {
    const words = Array.isArray(shape) ? shape : undefined;
    const is = words === undefined
      ? fits(value, shape as string)
      : words.includes(value as string);
    if (!is) {
      found.push(
        `${at}: ${JSON.stringify(value)} is no ${words?.join(", ") ?? shape}`,
      );
    }
    return;
  }
  const whole = shape as Exclude<Shape, string | readonly string[]>;
  if ("list" in whole) {
    if (!Array.isArray(value)) return void found.push(`${at}: is no list`);
    value.forEach((one, index) =>
      look(one, whole.list, `${at}[${index}]`, found)
    );
    return;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return void found.push(`${at}: is no object`);
  }
  for (const [key, one] of Object.entries(value)) {
    const inner = "map" in whole ? whole.map : whole.fields[key];
    const path = at === "" ? key : `${at}.${key}`;
    if (inner === undefined) found.push(`${path}: unknown field`);
    else look(one, inner, path, found);
  }
  for (const key of "needs" in whole ? whole.needs ?? [] : []) {
    if (!(key in value)) found.push(`${at}: lacks ${key}`);
  }
}

function fits(value: unknown, shape: string): boolean {
  switch (shape) {
    case "integer":
      return Number.isSafeInteger(value);
    case "integer or share":
      return Number.isSafeInteger(value) || /^\d+%$/.test(String(value));
    case "quantity":
      return typeof value === "number" ||
        (typeof value === "string" &&
          /^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/.test(value));
    case "boolean":
      return typeof value === "boolean";
    default:
      return typeof value === "string";
  }
}
