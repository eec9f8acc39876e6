interface Props {
  title: string;
  text: string;
  onClose: () => void;
}

/** Something that is shown once, to be copied. */
export function Secret({ title, text, onClose }: Props) {
  return (
    <div className="p-notification--information" role="status">
      <div className="p-notification__content">
        <h2 className="p-notification__title">{title}</h2>
        <p className="p-notification__message">
          <code className="mono">{text}</code>
        </p>
        <button onClick={() => void navigator.clipboard.writeText(text)}>Copy</button>
        <button className="p-notification__close" onClick={onClose}>
          Close
        </button>
      </div>
    </div>
  );
}
