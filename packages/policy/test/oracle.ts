import type { Boundary, Reads } from '@ambit/contract';
import type { Decision, Subject } from '../src/index.ts';

/**
 * What policies mean, written a second time and naively: no Cedar, no sharing of answers, one loop over all policies for
 * each resource. It knows only the policies that `render` writes.
 */
export interface Rule {
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly role: string | null;
  readonly actions: readonly Decision['action'][];
  readonly scope: { readonly op: '==' | 'in'; readonly resource: string } | null;
  readonly purpose: string | null;
  /** `context.claims.state` must be there and be this. */
  readonly state: string | null;
  readonly channel: Subject['channel'] | null;
}

export function render(rules: readonly Rule[]): string {
  return rules.map(renderOne).join('\n');
}

function renderOne({ id, effect, role, actions, scope, purpose, state, channel }: Rule): string {
  const conditions = [
    ...(purpose === null ? [] : [`context.purpose == "${purpose}"`]),
    ...(state === null ? [] : [`context.claims has state && context.claims.state == "${state}"`]),
    ...(channel === null ? [] : [`context.channel == "${channel}"`]),
  ];
  const who = role === null ? 'principal' : `principal in Role::"${role}"`;
  const named = actions.map((action) => `Action::"${action}"`).join(', ');
  const what = scope === null ? 'resource' : `resource ${scope.op} ${scope.resource}`;
  const when = conditions.length === 0 ? '' : ` when { ${conditions.join(' && ')} }`;
  return `@id("${id}") ${effect} (${who}, action in [${named}], ${what})${when};`;
}

export interface Answer {
  readonly allowed: boolean;
  readonly determinedBy: readonly string[];
}

export class Oracle {
  readonly #boundary: Boundary;
  readonly #rules: readonly Rule[];
  readonly #subject: Subject;
  readonly #purpose: string;

  constructor(boundary: Boundary, rules: readonly Rule[], subject: Subject, purpose: string) {
    this.#boundary = boundary;
    this.#rules = rules;
    this.#subject = subject;
    this.#purpose = purpose;
  }

  decide(action: Decision['action'], resource: string): Answer {
    const within = [resource, ...this.#above(resource)];
    const matching = this.#rules.filter((rule) => this.#matches(rule, action, resource, within));
    const forbids = matching.filter(({ effect }) => effect === 'forbid');
    const decisive = forbids.length > 0 ? forbids : matching;
    return {
      allowed: forbids.length === 0 && matching.length > 0,
      determinedBy: decisive.map(({ id }) => `flights.cedar#${id}`).toSorted(),
    };
  }

  #matches(rule: Rule, action: Decision['action'], resource: string, within: readonly string[]): boolean {
    const { tenant, roles, claims, channel } = this.#subject;
    if (!rule.actions.includes(action)) return false;
    if (rule.role !== null && !roles.some((role) => `${tenant}/${role}` === rule.role)) return false;
    if (rule.purpose !== null && rule.purpose !== this.#purpose) return false;
    if (rule.state !== null && claims['state'] !== rule.state) return false;
    if (rule.channel !== null && rule.channel !== channel) return false;
    if (rule.scope === null) return true;
    return rule.scope.op === '==' ? rule.scope.resource === resource : within.includes(rule.scope.resource);
  }

  #above(resource: string): readonly string[] {
    const { product, tables, rowFilters, masks } = this.#boundary;
    const top = `Product::"${product.name}"`;
    const [type, id = ''] = resource.replace(/"$/, '').split('::"');
    if (type === 'Product') return [];
    if (type === 'Column') {
      const [table = '', column = ''] = id.split('.');
      const tags = tables[table]?.columns.find(({ name }) => name === column)?.tags ?? [];
      return [`Table::"${table}"`, ...tags.map((tag) => `Tag::"${tag}"`), top];
    }
    if (type === 'RowFilter') return [`Table::"${rowFilters[id]?.table}"`, top];
    const tag = type === 'Mask' ? (masks[id]?.tag ?? null) : null;
    return tag === null ? [top] : [`Tag::"${tag}"`, top];
  }

  /** All that the grant holds, in the form of `shown`; null if there is none. */
  grant(): Record<string, unknown> | null {
    if (!this.decide('open', `Product::"${this.#boundary.product.name}"`).allowed) return null;
    const { tables, views, functions, queries } = this.#boundary;
    const granted = Object.keys(tables).filter((table) => this.#visible(table).length > 0);
    return {
      tables: Object.fromEntries(
        granted.map((table) => [
          table,
          {
            columns: this.#visible(table).map((column) => [column, ...this.#masks(table, column)].join(' < ')),
            filters: this.#filters(table),
          },
        ]),
      ),
      views: Object.keys(views)
        .filter((view) => this.#view(view))
        .toSorted(),
      functions: functions.filter((name) => this.#may('call', `Function::"${name}"`)),
      queries: Object.entries(queries)
        .flatMap(([query, { reads }]) => (this.#covers(reads) ? [query] : []))
        .toSorted(),
    };
  }

  #may(action: Decision['action'], resource: string): boolean {
    return this.decide(action, resource).allowed;
  }

  #visible(table: string): readonly string[] {
    const columns = this.#boundary.tables[table]?.columns ?? [];
    return columns.map(({ name }) => name).filter((name) => this.#may('read', `Column::"${table}.${name}"`));
  }

  #masks(table: string, column: string): readonly string[] {
    return Object.entries(this.#boundary.masks)
      .filter(([, mask]) => mask.columns.some((one) => one.table === table && one.column === column))
      .toSorted(([, a], [, b]) => (a.order ?? 0) - (b.order ?? 0))
      .map(([id]) => id)
      .filter((id) => !this.#may('exempt', `Mask::"${id}"`));
  }

  #filters(table: string): readonly string[] {
    return Object.entries(this.#boundary.rowFilters)
      .filter(([id, filter]) => filter.table === table && !this.#may('exempt', `RowFilter::"${id}"`))
      .map(([id]) => id);
  }

  #view(view: string): boolean {
    const declared = this.#boundary.views[view];
    return declared !== undefined && this.#may('read', `View::"${view}"`) && this.#covers(declared.reads);
  }

  #covers({ tables, views, functions }: Reads): boolean {
    return (
      Object.entries(tables).every(([table, columns]) => {
        const visible = this.#visible(table);
        return visible.length > 0 && columns.every((column) => visible.includes(column));
      }) &&
      views.every((view) => this.#view(view)) &&
      functions.every((name) => this.#may('call', `Function::"${name}"`))
    );
  }
}
