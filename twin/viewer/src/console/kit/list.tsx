// Lists of things, a page at a time.
import type { ComponentChildren } from "preact";
import { Fault, Loading } from "./basics";
import { type Listed, PAGE_SIZE } from "./load";

export interface Column<T> {
  title: string;
  cell: (item: T) => ComponentChildren;
  /** "wide" takes what room there is, "end" is set to the right, as numbers and buttons are. */
  shape?: "wide" | "end";
}

/** A table; on a phone every row becomes a small card with the column's title beside each cell. */
export function Table<T>(props: { label: string; columns: Column<T>[]; items: T[]; id: (item: T) => string | number }) {
  return (
    <div class="table-box">
      <table aria-label={props.label}>
        <thead>
          <tr>
            {props.columns.map((column) => (
              <th key={column.title} scope="col" class={column.shape}>
                {column.title === "Actions" ? <span class="visually-hidden">Actions</span> : column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.items.map((item) => (
            <tr key={props.id(item)}>
              {props.columns.map((column) => (
                <td key={column.title} class={column.shape} data-title={column.title}>
                  {column.cell(item)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Pager(props: { offset: number; total: number; setOffset: (offset: number) => void }) {
  const { offset, total, setOffset } = props;
  if (total <= PAGE_SIZE && offset === 0) return null;
  return (
    <nav class="pager" aria-label="Pages">
      <span class="muted numbers">
        {Math.min(offset + 1, total)}–{Math.min(offset + PAGE_SIZE, total)} of {total}
      </span>
      <button
        type="button"
        class="button"
        disabled={offset === 0}
        onClick={() => setOffset(Math.max(offset - PAGE_SIZE, 0))}
      >
        Back
      </button>
      <button
        type="button"
        class="button"
        disabled={offset + PAGE_SIZE >= total}
        onClick={() => setOffset(offset + PAGE_SIZE)}
      >
        Next
      </button>
    </nav>
  );
}

/** A list with its pages; `empty` says what to do where there is none. */
export function List<T>(props: {
  label: string;
  list: Listed<T>;
  columns: Column<T>[];
  id: (item: T) => string | number;
  empty: ComponentChildren;
}) {
  const { list } = props;
  return (
    <>
      <Fault fault={list.fault} />
      {!list.value && !list.fault && <Loading />}
      {list.value && list.value.total === 0 && props.empty}
      {list.value && list.value.total > 0 && (
        <>
          <Table label={props.label} columns={props.columns} items={list.value.items} id={props.id} />
          <Pager offset={list.offset} total={list.value.total} setOffset={list.setOffset} />
        </>
      )}
    </>
  );
}
